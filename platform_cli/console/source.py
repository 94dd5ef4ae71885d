"""Says what the console's pages are made from: what the API answers, in its shapes, asked for without HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from ..api.metrics import By, Metrics, MetricsRow
from ..api.release import Release
from ..api.status import Status


class Source(Protocol):
    """Answers as the API does; whatever names a project raises NotFoundError if it does not exist."""

    def projects(self) -> list[Status]: ...

    def status(self, project: str) -> Status: ...

    def releases(self, project: str) -> list[Release]: ...

    def contract(self, project: str) -> Mapping[str, Any] | None:
        """Returns what the active release offers, None if it is not known."""
        ...

    async def break_down(self, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
        """Returns what a project did, by each of `bys`; clients are known for 7 days."""
        ...

    async def totals(self, projects: Collection[str], since: float, until: float) -> dict[str, MetricsRow]:
        """Returns the sums of what projects did, by their names."""
        ...
