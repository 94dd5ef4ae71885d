"""Shows one project: where it is, how much is asked of it, how fast it answers, and what fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...api.metrics import By, Metrics, MetricsRow, MetricsStep
from ..charts import Line, bars, line, marks
from ..page import Asked, Page
from ..periods import PERIODS, read_period

CHART_HEIGHT = 132
# Which client called is kept for 7 days (telemetry.store.RAW_S).
WITH_CLIENTS = ("1h", "24h", "7d")


@dataclass(frozen=True, slots=True)
class Number:
    """Is one of the numbers on top, with that of the period before; `more_is_bad` for what should be small."""

    label: str
    value: float | None
    before: float | None
    unit: str
    more_is_bad: bool

    @property
    def change(self) -> float | None:
        """Returns by what part it has changed, None where it cannot be compared."""
        if self.value is None or not self.before:
            return None
        return self.value / self.before - 1


@dataclass(frozen=True, slots=True)
class Latency:
    """Is the chart of percentiles, whose top stands for `most` milliseconds."""

    most: float
    lines: tuple[Line, ...]


async def load(asked: Asked) -> Mapping[str, object]:
    status, period = asked.source.status(asked.project), read_period(asked.query.get("period"), asked.now)
    bys: list[By] = ["tool", "method"]
    now = await asked.source.break_down(asked.project, period.since, period.until, bys)
    before = await asked.source.totals([asked.project], period.before.since, period.before.until)
    clients = (
        await asked.source.clients(asked.project, period.since, period.until) if period.name in WITH_CLIENTS else []
    )
    found = now["tool"]
    made = {each["release"]: each["created_at"] for each in asked.source.releases(asked.project) if not each["error"]}
    total = found["total"]
    return {
        "status": status,
        "period": period,
        "periods": [*PERIODS],
        "numbers": _numbers(total, before[asked.project]),
        "total": total,
        "chart": bars(total["series"], total["failures"], CHART_HEIGHT),
        "latency": _latency(found["steps"]),
        "height": CHART_HEIGHT,
        "steps": _steps(found),
        "marks": marks(made, found["since"], found["until"]),
        "tables": [("Tools", _tools(now)), ("Methods", now["method"]["rows"])],
        "clients": clients,
    }


def _numbers(now: MetricsRow, before: MetricsRow) -> list[Number]:
    return [
        Number("Operations", now["operations"], before["operations"], "count", more_is_bad=False),
        Number("Error rate", _rate(now), _rate(before), "percent", more_is_bad=True),
        Number("p95", now["p95"], before["p95"], "ms", more_is_bad=True),
        Number("Cold starts", now["cold"], before["cold"], "count", more_is_bad=True),
    ]


def _rate(row: MetricsRow) -> float | None:
    return row["failed"] / row["operations"] if row["operations"] else None


def _latency(steps: Sequence[MetricsStep]) -> Latency:
    most = max((step["p99"] or 0 for step in steps), default=0) or 1.0
    lines = (
        line("p50", [step["p50"] for step in steps], most, CHART_HEIGHT),
        line("p95", [step["p95"] for step in steps], most, CHART_HEIGHT),
        line("p99", [step["p99"] for step in steps], most, CHART_HEIGHT),
    )
    return Latency(most, lines)


def _steps(found: Metrics) -> list[tuple[float, MetricsStep]]:
    """Returns each step with the time at which it begins."""
    return [(found["since"] + number * found["step_s"], step) for number, step in enumerate(found["steps"])]


def _tools(now: Mapping[By, Metrics]) -> list[MetricsRow]:
    """Returns the rows of tools and prompts, without those of methods."""
    methods = {row["key"] for row in now["method"]["rows"]}
    return [row for row in now["tool"]["rows"] if row["key"] not in methods]


PAGE = Page("project", "/projects/{project}", load, tab="Overview")
