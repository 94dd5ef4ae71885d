"""Measures the stages of a deploy as they run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """Is one stage that has ended; `cached` means that its result existed before."""

    name: str
    seconds: float
    cached: bool


@dataclass(slots=True)
class Running:
    """Is the stage that runs, whose code sets `cached`."""

    cached: bool = False


class Stages:
    """Runs stages one after the other and tells `on_start` and `on_end` about each."""

    def __init__(self, on_start: Callable[[str], None], on_end: Callable[[Stage], None]) -> None:
        self.done: list[Stage] = []
        self._on_start = on_start
        self._on_end = on_end

    @contextmanager
    def run(self, name: str) -> Iterator[Running]:
        self.started(name)
        running = Running()
        started = time.perf_counter()
        yield running
        self.ended(Stage(name, round(time.perf_counter() - started, 3), running.cached))

    def started(self, name: str) -> None:
        """Reports the start of a stage that runs elsewhere."""
        self._on_start(name)

    def ended(self, stage: Stage) -> None:
        self.done.append(stage)
        self._on_end(stage)
