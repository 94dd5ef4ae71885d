"""Shows a project's log, and goes on with what is written; the browser asks for it by itself."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from ...records import LEVELS
from ..page import Asked, Page

# The records that are shown at first.
TAIL = 500


async def load(asked: Asked) -> Mapping[str, object]:
    asked.source.status(asked.project)
    wanted = {name: asked.query.get(name) or None for name in ("level", "text", "release", "request")}
    given = {name: value for name, value in wanted.items() if value is not None}
    base = f"/v1/projects/{asked.project}/logs"
    releases = [each["release"] for each in asked.source.releases(asked.project) if each["error"] is None]
    return {
        "stream": f"{base}?{urlencode({'tail': TAIL, 'follow': 'true', **given})}",
        "whole": base,
        "wanted": wanted,
        "levels": LEVELS,
        "releases": releases,
    }


PAGE = Page("logs", "/projects/{project}/logs", load, tab="Logs")
