"""Shows all projects: what each serves, how much was asked of it in the last day, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...api.metrics import MetricsRow
from ...api.status import Status
from ..charts import Bars, bars
from ..page import Asked, Page

DAY_S = 86400.0
CHART_HEIGHT = 24


@dataclass(frozen=True, slots=True)
class Listed:
    """Is a project with its operations of a day, and the number of errors that are open."""

    status: Status
    total: MetricsRow
    chart: Bars
    errors: int


async def load(asked: Asked) -> Mapping[str, object]:
    projects = asked.source.projects()
    names = [each["project"] for each in projects]
    totals = await asked.source.totals(names, asked.now - DAY_S, asked.now)
    errors = await asked.source.open_errors(names)
    listed = [
        Listed(each, total := totals[name], bars(total["series"], total["failures"], CHART_HEIGHT), errors[name])
        for name, each in zip(names, projects, strict=True)
    ]
    return {
        "projects": listed,
        "platform": asked.source.platform(),
        "free_bytes": asked.source.free_bytes(),
        "failing": [alert for alert in asked.source.alerts() if alert["failure"] is not None],
    }


PAGE = Page("projects", "/", load)
