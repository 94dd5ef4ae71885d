"""Describes a project on AWS Lambda as the API does."""

from __future__ import annotations

from ...api.status import Status
from .live import Live


def status_of(project: str, live: Live) -> Status:
    """Returns the status as far as it needs no question for this project alone: without `cost` and `front`."""
    active = live.active
    configuration = active.configuration if active else live.function or {}
    return {
        "project": project,
        "release": f"v{active.release}" if active else None,
        "bundle": active.identity if active else None,
        "state": "serving" if active else f"serving version {live.leads_to}, published by hand",
        "target": "lambda",
        "image": None,
        "published": None,
        "url": live.url or "",
        "local_url": live.url or "",
        "mcp_url": f"{live.url}/mcp" if live.url else "",
        "sse_url": f"{live.url}/sse" if live.url else "",
        "workers": None,
        "processes": [],
        "last_error": f"instances are not kept ready: {reason}" if (reason := live.not_kept_ready) else None,
        "auth": active.auth if active else None,
        "confined": None,
        "user": None,
        "folder": None,
        "deployed_at": active.made_at if active else None,
        "outdated_secrets": None,
        "memory_mb": configuration["MemorySize"],
        "architecture": configuration["Architectures"][0],
        "instances": {
            "min": live.kept_ready,
            "ready": live.provisioned["AvailableProvisionedConcurrentExecutions"] if live.provisioned else 0,
            "max": live.reserved,
        },
        "hand_made": [{"version": one.number, "description": one.description} for one in live.hand_made],
        "cost": None,
        "front": None,
        "open_errors": None,
    }
