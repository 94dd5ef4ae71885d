"""Shows the platform itself: where it is reached, who may use it, and which browsers have the console."""

from __future__ import annotations

from collections.abc import Mapping

from ..page import Asked, Page


async def load(asked: Asked) -> Mapping[str, object]:
    tokens = asked.source.tokens()
    return {
        "platform": asked.source.platform(),
        "tokens": [each for each in tokens if each["kind"] == "platform"],
        "sessions": [each for each in tokens if each["kind"] == "console"],
    }


PAGE = Page("settings", "/settings", load)
