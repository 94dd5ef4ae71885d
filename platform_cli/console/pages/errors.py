"""Shows the errors of a project in groups of those that have one cause: those that are open, or all."""

from __future__ import annotations

from collections.abc import Mapping

from ..page import Asked, Page

OPEN = ("open", "regressed")
MOST = 200


async def load(asked: Asked) -> Mapping[str, object]:
    asked.source.status(asked.project)
    groups = await asked.source.errors(asked.project)
    shows_all = asked.query.get("state") == "all"
    shown = [group for group in groups if shows_all or group["state"] in OPEN]
    return {"groups": shown[:MOST], "shows_all": shows_all, "count": len(groups), "more": max(len(shown) - MOST, 0)}


PAGE = Page("errors", "/projects/{project}/errors", load, tab="Errors")
