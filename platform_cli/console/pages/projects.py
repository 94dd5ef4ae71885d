"""Shows all projects: what each serves, how much was asked of it in the last day, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...api.metrics import MetricsRow
from ...api.status import Status
from ..charts import Bars, bars
from ..page import Asked, Page

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Listed:
    status: Status
    total: MetricsRow
    chart: Bars


async def load(asked: Asked) -> Mapping[str, object]:
    projects = asked.source.projects()
    totals = await asked.source.totals([each["project"] for each in projects], asked.now - DAY_S, asked.now)
    listed = [
        Listed(status, total := totals[status["project"]], bars(total["series"], total["failures"], 24))
        for status in projects
    ]
    return {"projects": listed}


PAGE = Page("projects", "/", load)
