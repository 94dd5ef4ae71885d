"""Shows how the platform built a release from a commit."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import NotFoundError
from ..page import Asked, Page
from ..text import Whole


async def load(asked: Asked) -> Mapping[str, object]:
    release = asked.path["release"].removeprefix("v")
    if not (release.isascii() and release.isdigit() and len(release) < 10):
        raise NotFoundError(f"{asked.project} has no release {asked.path['release']!r}")
    build = asked.source.build_log(asked.project, int(release))
    return {"release": f"v{release}", "build": build, "log": Whole(build["log"])}


PAGE = Page("build", "/projects/{project}/releases/{release}/build", load, tab="Releases")
