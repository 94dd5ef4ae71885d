"""Writes what a soak found, beside what it should, as Markdown that is fit for the docs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from statistics import median

from .clients import SESSION_IN_WORKER
from .faults import NEED_A_START, VICTIMS, Idle, Kill
from .load import Load, Lost
from .measures import Measure

# The factor by which the end may have more than the beginning.
MAY_GROW = 1.25
# The number of descriptors, files and entries by which the end may have more, since some come and go.
MAY_COME = 20


@dataclass(frozen=True, slots=True)
class Counts:
    redeploys: int
    kills: int
    wakes: int
    idle: int


@dataclass
class Report:
    """Holds what a soak found: `loads` and `measures` are in the order in which they were made; `redeploys` are
    seconds.
    """

    counts: Counts
    loads: dict[str, Load] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    redeploys: Sequence[float] = ()
    idle: Idle = field(default_factory=lambda: Idle(0, 0, 0))
    kills: Sequence[Kill] = ()

    @property
    def is_met(self) -> bool:
        return not self._failed() and not self.idle.failed and not list(self._grown())

    def text(self) -> str:
        return "\n\n".join(filter(None, (self._faults(), self._requests(), self._reasons(), self._kept())))

    def _faults(self) -> str:
        rows: list[Row] = [("redeploy", len(self.redeploys), *_seconds(self.redeploys))]
        rows.append(("wake at the moment of sleep", len(self.loads["wakes"].lives), "-", "-"))
        rows.append((f"idle connection ({self.idle.closed} closed by the platform)", self.idle.opened, "-", "-"))
        for what in VICTIMS:
            seconds = [kill.back - kill.begun for kill in self.kills if kill.what == what]
            rows.append((f"kill -9: {what}, until all answer", len(seconds), *_seconds(seconds)))
        return table(("fault", "times", "median s", "longest s"), rows)

    def _requests(self) -> str:
        kinds = list(dict.fromkeys(caller.kind for load in self.loads.values() for caller in load.callers))
        lost = Counter((one.kind, place) for _, one, place in self._lost())
        rows: list[Row] = []
        for kind in kinds:
            answered = sum(load.answered[kind] for load in self.loads.values())
            closed = sum(load.closed[kind] for load in self.loads.values())
            rows.append((kind, answered, closed, *(lost[kind, place] for place in PLACES)))
        rows.append(("idle connections, asked again", self.idle.answered, self.idle.closed, 0, 0, self.idle.failed))
        return table(("client", "answered", "streams ended by the server", *PLACES), rows)

    def _reasons(self) -> str:
        counted = Counter((fault, one.kind, place, one.reason) for fault, one, place in self._lost())
        rows = [(*what, times) for what, times in counted.most_common()]
        return table(("during", "client", "lost", "reason", "times"), rows) if rows else ""

    def _kept(self) -> str:
        rows = [
            (one.name.replace("_", " "), *(f"{getattr(measure, one.name):.0f}" for measure in self.measures.values()))
            for one in fields(Measure)
        ]
        return table(("held", *self.measures), rows)

    def _failed(self) -> list[Lost]:
        return [one for _, one, place in self._lost() if place == FAILED]

    def _lost(self) -> Iterator[tuple[str, Lost, str]]:
        for fault, load in self.loads.items():
            for one in load.lost:
                yield fault, one, self._place(one)

    def _place(self, lost: Lost) -> str:
        """Returns where a request was when it was lost."""
        met = [kill for kill in self.kills if lost.begun <= kill.back and lost.ended >= kill.begun]
        # A session over /sse ends with its worker, and its client may ask before it has seen that.
        last = lost.opened if lost.kind in SESSION_IN_WORKER else lost.begun
        if any(kill.what in ("worker", "all") and last <= kill.gone for kill in met):
            return INSIDE
        return DOWN if any(kill.what in NEED_A_START for kill in met) else FAILED

    def _grown(self) -> Iterator[str]:
        """Returns what the end has too much of."""
        first, last = self.measures["beginning"], self.measures["end"]
        for one in fields(Measure):
            if getattr(last, one.name) > max(getattr(first, one.name) * MAY_GROW, getattr(first, one.name) + MAY_COME):
                yield one.name


INSIDE, DOWN, FAILED = "lost in a killed worker", "lost while the platform was killed", "lost"
PLACES = (INSIDE, DOWN, FAILED)
Row = tuple[object, ...]


def table(head: Sequence[str], rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in line)} |" for line in lines
    )


def _seconds(seconds: Sequence[float]) -> tuple[str, str]:
    return (f"{median(seconds):.2f}", f"{max(seconds):.2f}") if seconds else ("-", "-")
