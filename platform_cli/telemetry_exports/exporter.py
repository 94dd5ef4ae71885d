"""Sends spans, logs and metrics to collectors, each signal by itself, so that one collector that hangs holds up no
other signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..home import Home
from ..otlp.encoding import Attributes, logs_message, metrics_message, spans_message
from ..otlp.endpoints import Signal, read_endpoints, read_resource
from ..otlp.sender import Outcome, Sender
from ..supervisor.log_pages import Page, end_of, read_page
from ..supervisor.log_tail import Position
from ..telemetry.prometheus import Counted
from .cursors import Cursors
from .logs import logs_of
from .metrics import metrics_of
from .spans import SpanBatch, read_spans

# The items of a message at most.
BATCH = 512
# The milliseconds between two messages of a signal, by OpenTelemetry's names of the variables that change them.
INTERVALS: dict[Signal, tuple[str, float]] = {
    "traces": ("OTEL_BSP_SCHEDULE_DELAY", 5000.0),
    "logs": ("OTEL_BLRP_SCHEDULE_DELAY", 5000.0),
    "metrics": ("OTEL_METRIC_EXPORT_INTERVAL", 60_000.0),
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Is where telemetry comes from: the projects that there are, with their workers, and the counters."""

    workers: Callable[[], Mapping[str, int]]
    counted: Callable[[], list[Counted]]


class Exporter:
    """Exports what `environment` asks for, and nothing without that."""

    def __init__(self, home: Home, sources: Sources, environment: Mapping[str, str]) -> None:
        self._home = home
        self._sources = sources
        self._endpoints, self._problems = read_endpoints(environment)
        self._resource = read_resource(environment)
        self._intervals = {signal: _seconds(environment.get(name), ms) for signal, (name, ms) in INTERVALS.items()}
        self._started = time.time()
        self._errors: dict[Signal, str] = {}
        self._knows_logs = False

    async def work(self) -> None:
        """Sends, at intervals, for as long as it runs."""
        for problem in self._problems:
            _say(f"OpenTelemetry: {problem}")
        if not self._endpoints:
            return
        cursors = await asyncio.to_thread(Cursors.read, self._home.exported)
        works: dict[Signal, Callable[[Sender, Cursors], Awaitable[None]]] = {
            "traces": self._send_spans,
            "logs": self._send_logs,
            "metrics": self._send_metrics,
        }
        async with asyncio.TaskGroup() as group:
            for signal, endpoint in self._endpoints.items():
                group.create_task(self._every(signal, works[signal], Sender(endpoint), cursors))

    async def _every(
        self, signal: Signal, work: Callable[[Sender, Cursors], Awaitable[None]], sender: Sender, cursors: Cursors
    ) -> None:
        async with sender:
            while True:
                try:
                    await work(sender, cursors)
                except (OSError, sqlite3.Error):
                    """What cannot be read or written now is sent the next time."""
                except Exception as error:
                    # Whatever is wrong with one signal, the others are sent.
                    self._tell(signal, Outcome(error=type(error).__name__))
                await asyncio.sleep(self._intervals[signal])

    async def _send_spans(self, sender: Sender, cursors: Cursors) -> None:
        while True:
            batch = await asyncio.to_thread(read_spans, self._home.telemetry, cursors.spans, BATCH)
            if batch.lost:
                _say(f"OpenTelemetry: {batch.lost} spans are lost, since no collector has taken them in time")
            if batch.spans:
                await self._sent("traces", sender, await asyncio.to_thread(self._spans_message, batch))
            if batch.end != cursors.spans:
                cursors.spans = batch.end
                await asyncio.to_thread(cursors.write)
            if batch.size < BATCH:
                return

    async def _send_logs(self, sender: Sender, cursors: Cursors) -> None:
        projects = list(self._sources.workers())
        for project in projects:
            # A log that cannot be read now is read the next time, and the other projects do not wait for it.
            with contextlib.suppress(OSError):
                if project not in cursors.logs:
                    # The history of projects that were there before is not sent; of one that was made since, all is.
                    at = Position(0, 0) if self._knows_logs else await asyncio.to_thread(end_of, self._logs(project))
                    cursors.logs[project] = at
                await self._send_log(project, sender, cursors)
        self._knows_logs = self._knows_logs or cursors.logs.keys() >= set(projects)
        cursors.logs = {project: at for project, at in cursors.logs.items() if project in projects}

    async def _send_log(self, project: str, sender: Sender, cursors: Cursors) -> None:
        while (page := await asyncio.to_thread(read_page, self._logs(project), cursors.logs[project], BATCH)).lines:
            await self._sent("logs", sender, await asyncio.to_thread(self._logs_message, project, page))
            cursors.logs[project] = page.end
            await asyncio.to_thread(cursors.write)

    async def _send_metrics(self, sender: Sender, _cursors: Cursors) -> None:
        found = metrics_of(self._sources.counted(), self._sources.workers())
        if not found:
            return
        groups = [(self._about(project), metrics) for project, metrics in found.items()]
        message = await asyncio.to_thread(metrics_message, groups, self._started, time.time())
        # The next one has all that is in this one.
        self._tell("metrics", await sender.send(message))

    async def _sent(self, signal: Signal, sender: Sender, message: bytes) -> None:
        """Sends a message until it is settled: meanwhile what follows waits where it is stored."""
        while not self._tell(signal, outcome := await sender.send(message)):
            await asyncio.sleep(outcome.retry_s or 0.0)

    def _tell(self, signal: Signal, outcome: Outcome) -> bool:
        """Says in the platform's log when a signal arrives at its collector no more, and when it does again."""
        before = self._errors.pop(signal, None)
        if outcome.error is not None:
            self._errors[signal] = outcome.error
            if outcome.error != before:
                _say(f"OpenTelemetry: {signal} are not taken: {outcome.error}")
        elif before is not None:
            _say(f"OpenTelemetry: {signal} are taken again")
        return outcome.is_settled

    def _spans_message(self, batch: SpanBatch) -> bytes:
        return spans_message([(self._about(project), spans) for project, spans in batch.spans.items()])

    def _logs_message(self, project: str, page: Page) -> bytes:
        return logs_message(self._about(project), logs_of(page))

    def _logs(self, project: str) -> Path:
        return self._home.project(project) / "logs"

    def _about(self, project: str) -> Attributes:
        """Returns the resource of a project: to OpenTelemetry each is a service."""
        return {
            "service.name": project,
            "service.namespace": "homeport",
            "service.instance.id": socket.gethostname(),
            "homeport.project": project,
            "homeport.version": __version__,
            **self._resource,
        }


def _seconds(text: str | None, default_ms: float) -> float:
    return (float(text) if text and text.isdecimal() and int(text) else default_ms) / 1000


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
