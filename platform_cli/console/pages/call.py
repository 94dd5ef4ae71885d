"""Shows one request: what it asked for, what that came to, and what the server printed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping

from ...api.call_query import CallQuery
from ...errors import NotFoundError
from ..page import Asked, Page

MOST_CALLS, MOST_LINES = 20, 500


async def load(asked: Asked) -> Mapping[str, object]:
    request = asked.path["request"]
    calls = await asked.source.calls(asked.project, CallQuery(request=request), MOST_CALLS)
    lines = await asked.source.logs(asked.project, request, MOST_LINES)
    if not calls and not lines:
        raise NotFoundError(f"nothing is known of the request {request}", hint="calls are kept for a week")
    return {"request": request, "calls": calls, "lines": lines}


PAGE = Page("call", "/projects/{project}/calls/{request}", load, tab="Calls")
