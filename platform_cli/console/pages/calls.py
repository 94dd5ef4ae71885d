"""Shows the newest operations of a project, one a line, as far as they are wanted."""

from __future__ import annotations

from collections.abc import Mapping

from ...api.call_query import FAILED, CallQuery
from ..page import Asked, Page

MOST = 200
# The names that a list offers at most.
OFFERED = 100
METHODS = (
    "tools/call", "tools/list", "resources/list", "resources/read", "resources/templates/list", "prompts/list",
    "prompts/get", "initialize", "server/discover",
)  # fmt: skip
KINDS = (
    FAILED, "ok", "exception", "crash", "timeout", "tool", "arguments", "unknown", "protocol", "refused", "limited",
    "abandoned",
)  # fmt: skip


async def load(asked: Asked) -> Mapping[str, object]:
    asked.source.status(asked.project)
    wanted = CallQuery(
        tool=asked.query.get("tool"),
        method=asked.query.get("method"),
        client=asked.query.get("client"),
        release=asked.query.get("release"),
        kind=asked.query.get("kind"),
        slower_ms=_number(asked.query.get("slower")),
    )
    calls = await asked.source.calls(asked.project, wanted, MOST)
    tools, clients = await asked.source.names(asked.project, OFFERED)
    releases = [each["release"] for each in asked.source.releases(asked.project) if each["error"] is None]
    choices = [
        ("tool", "Tool", tools),
        ("method", "Method", METHODS),
        ("client", "Client", clients),
        ("release", "Release", releases),
    ]
    return {"calls": calls, "wanted": wanted, "choices": [*choices, ("kind", "Result", KINDS)], "most": MOST}


def _number(text: str | None) -> float | None:
    """Returns the number that a person typed, None for anything else."""
    try:
        return float(text) if text else None
    except ValueError:
        return None


PAGE = Page("calls", "/projects/{project}/calls", load, tab="Calls")
