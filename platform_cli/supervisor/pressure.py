"""Decides when a project needs another worker, or one less."""

from __future__ import annotations

import asyncio


class Pressure:
    """Records since when there have been too many requests for the workers, or so few that one could end."""

    def __init__(self) -> None:
        self._crowded_since: float | None = None
        self._roomy_since: float | None = None

    def note(self, *, crowded: bool, roomy: bool) -> None:
        now = asyncio.get_running_loop().time()
        self._crowded_since = (self._crowded_since or now) if crowded else None
        self._roomy_since = (self._roomy_since or now) if roomy else None

    def crowded_for(self, seconds: float) -> bool:
        return _since(self._crowded_since, seconds)

    def roomy_for(self, seconds: float) -> bool:
        return _since(self._roomy_since, seconds)


def _since(start: float | None, seconds: float) -> bool:
    return start is not None and asyncio.get_running_loop().time() - start >= seconds
