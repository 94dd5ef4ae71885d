"""Computes a project's metrics from its log, where no platform keeps any: the records of its operations are in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from ..api.log_record import LogRecord
from ..api.metrics import By, Metrics
from ..errors import InputError
from ..telemetry.operation import Operation, called
from ..telemetry.store import Happened, TelemetryStore
from ..telemetry.summary import summarize

# The operations that are read at most: a log is read from its oldest record on, some thousand a second.
MAX_READ = 200_000
BATCH = 1000


def metrics_of(project: str, operations: Iterable[Happened], since: float, until: float, by: By) -> Metrics:
    """Returns what a project did, from operations in any order.

    Raises InputError if there are more than MAX_READ.
    """
    with tempfile.TemporaryDirectory(prefix="homeport-metrics-") as folder:
        path = Path(folder) / "telemetry.sqlite"
        store, count, read = TelemetryStore(path), 0, iter(operations)
        try:
            while batch := list(islice(read, BATCH)):
                count += len(batch)
                if count > MAX_READ:
                    raise InputError(f"{project} has done more than {MAX_READ} operations", hint="ask for --since 1h")
                store.write(batch)
        finally:
            store.close()
        return summarize(path, project, since, until, by)


def happened(project: str, time: float, release: object, operation: Operation) -> Happened:
    number = str(release).removeprefix("v")
    return Happened(time, project, int(number) if number.isdecimal() and len(number) < 10 else 0, operation)


def calls_of(project: str, records: Iterable[LogRecord]) -> Iterator[Happened]:
    """Yields the calls of tools in a log."""
    for record in records:
        if "call" in record and (operation := called(record)) is not None:
            yield happened(project, record["time"], record["release"], operation)
