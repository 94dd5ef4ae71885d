"""Shows who called what, as a project's audit log has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import get_args

from ...api.audit_entry import Result
from ...api.audit_query import AuditQuery
from ..page import Asked, Page
from ..periods import PERIODS, read_period

MOST = 200


async def load(asked: Asked) -> Mapping[str, object]:
    asked.source.status(asked.project)
    period = read_period(asked.query.get("period"), asked.now)
    given = {name: asked.query.get(name) or None for name in ("client", "user", "tool", "result")}
    entries = await asked.source.audit(asked.project, AuditQuery(period.since, **given), MOST)
    return {
        "entries": [(entry, _text(entry["arguments"])) for entry in entries],
        "given": given,
        "results": get_args(Result),
        "period": period,
        "periods": [*PERIODS],
        "most": MOST,
    }


def _text(arguments: object) -> str | None:
    return None if arguments is None else json.dumps(arguments, ensure_ascii=False)


PAGE = Page("audit", "/projects/{project}/audit", load, tab="Audit")
