"""Writes lines of an audit log as events of the Open Cybersecurity Schema Framework (OCSF 1.5, API Activity, 6003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .chain import seconds_of

if TYPE_CHECKING:
    from ..api.audit_entry import AuditEntry

CLASS_UID = 6003
CATEGORY_UID = 6
# Nothing in a call says whether it creates, reads or deletes: activity "Other".
ACTIVITY_OTHER = 99
INFORMATIONAL, MEDIUM = 1, 3
SUCCESS, FAILURE = 1, 2
KEPT_BACK = frozenset({"denied", "limited", "refused", "unauthorized"})


def ocsf(entry: AuditEntry) -> dict[str, Any]:
    """Returns the event for one line: who it was under `actor`, what was called under `api`, the rest in `unmapped`."""
    succeeded = entry["result"] == "success"
    return {
        "class_uid": CLASS_UID,
        "class_name": "API Activity",
        "category_uid": CATEGORY_UID,
        "category_name": "Application Activity",
        "activity_id": ACTIVITY_OTHER,
        "activity_name": entry["method"],
        "type_uid": CLASS_UID * 100 + ACTIVITY_OTHER,
        "severity_id": MEDIUM if entry["result"] in KEPT_BACK else INFORMATIONAL,
        "time": round(seconds_of(entry["timestamp"]) * 1000),
        "duration": round(entry["ms"]),
        "status_id": SUCCESS if succeeded else FAILURE,
        "status": "Success" if succeeded else "Failure",
        "status_detail": entry.get("reason") or entry["result"],
        "actor": {"app_uid": entry["client_id"], "user": {"uid": entry["user_id"]}},
        "api": {
            "operation": entry["tool_name"] or entry["method"],
            "service": {"name": entry["project"], "version": entry["release"]},
            "request": {"uid": entry["request"] or "", "data": entry["arguments"]},
        },
        "src_endpoint": {"ip": entry["ip_address"]},
        "metadata": {
            "version": "1.5.0",
            "product": {"name": "homeport", "vendor_name": "homeport"},
            "correlation_uid": entry["request"],
            "sequence": entry["seq"],
            "uid": entry["hash"],
        },
        "unmapped": {"scopes_used": entry["scopes_used"], "prev": entry["prev"]},
    }
