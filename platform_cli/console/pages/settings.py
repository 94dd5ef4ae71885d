"""Shows the platform itself: where it is reached, whom it alerts, and who may use it or see the console."""

from __future__ import annotations

from collections.abc import Mapping

from ..page import Asked, Page


async def load(asked: Asked) -> Mapping[str, object]:
    tokens = asked.source.tokens()
    return {
        "platform": asked.source.platform(),
        "alerts": asked.source.alerts(),
        "tokens": [each for each in tokens if each["kind"] == "platform"],
        "sessions": [each for each in tokens if each["kind"] == "console"],
    }


PAGE = Page("settings", "/settings", load)
