"""What telemetry costs per call, in the worker and in the control plane, whether anything is lost at 2,000 calls a
second, and how large, exact and quick a store of 1,000,000 calls is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from homeport_runtime.guard.calls import CallRecord
from platform_cli.api.metrics import By
from platform_cli.audit.book import AuditBook
from platform_cli.audit.chain import NOTHING
from platform_cli.supervisor.journal import Journal
from platform_cli.supervisor.logbook import LogBook
from platform_cli.supervisor.output_pipe import OutputPipe
from platform_cli.telemetry.histogram import bucket_of, percentile
from platform_cli.telemetry.operation import Operation
from platform_cli.telemetry.recorder import Recorder
from platform_cli.telemetry.rollups import DAY_S
from platform_cli.telemetry.store import Happened, TelemetryStore
from platform_cli.telemetry.summary import summarize

from .harness import ROOT, folder, in_turn, show, show_ratio

SCOPE: Any = {"type": "http", "headers": [(b"user-agent", b"desk/1.0"), (b"mcp-protocol-version", b"2025-11-25")]}
MESSAGE: Any = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {}}}
SHARES = (0.5, 0.95, 0.99)
# What the store is filled with: 30 days of 5 projects with 8 tools and 6 releases each.
PROJECTS, TOOLS, RELEASES, DAYS = 5, 8, 6, 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=2000, help="calls per second")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=1_000_000, help="calls in the store")
    parser.add_argument("--feed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.feed:
        feed(options.rate, options.seconds)
        return
    in_the_worker(options.rounds)
    with folder("homeport-telemetry-") as home:
        in_the_control_plane(home, options.rounds, options.rate, options.seconds)
        percentiles(options.calls)
        store(home / "store.sqlite", options.calls)


def record_call() -> None:
    CallRecord(SCOPE, MESSAGE, "0123456789abcdef", cold=False, bytes_in=120)._write("ok", None)


def feed(rate: int, seconds: int) -> None:
    """Writes the records of so many calls, as a worker does."""
    for round_number in range(seconds * 100):
        for _ in range(rate // 100):
            record_call()
        time.sleep(max(0.0, STARTED + (round_number + 1) / 100 - time.monotonic()))


STARTED = time.monotonic()


def in_the_worker(rounds: int, calls: int = 20_000) -> None:
    logger = logging.getLogger("benchmark")
    logger.propagate = False
    logger.setLevel(logging.INFO)

    def log() -> None:
        logger.info("tools/call add: ok request=%s ms=%.2f", "0123456789abcdef", 1.5)

    peers: dict[str, Callable[[], None]] = {"a call's record": record_call, "logging.info": log}
    spent: dict[str, list[float]] = {title: [] for title in peers}
    with silent_stdout() as silent:
        logger.addHandler(logging.StreamHandler(silent))
        for number in range(rounds):
            for title in in_turn(peers, number):
                begun = time.process_time()
                for _ in range(calls):
                    peers[title]()
                spent[title].append((time.process_time() - begun) / calls * 1e6)
    for title, values in spent.items():
        show(f"worker: {title:<16} {statistics.median(values):5.1f} µs")
    ours, theirs = spent.values()
    show_ratio("worker", statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), "at most 2")


@contextlib.contextmanager
def silent_stdout() -> Iterator[Any]:
    """Sends what is written to descriptor 1 nowhere, and yields a stream that leads there."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield nowhere
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def in_the_control_plane(home: Path, rounds: int, rate: int, seconds: int) -> None:
    costs: dict[bool, list[float]] = {True: [], False: []}
    sent = rate // 100 * 100 * seconds
    for number in range(rounds):
        for has_telemetry in in_turn(costs, number):
            path = home / f"telemetry{number}.sqlite"
            cpu, stored = asyncio.run(listened(home / f"{number}{has_telemetry}", path, rate, seconds, has_telemetry))
            costs[has_telemetry].append(cpu / sent * 1e6)
            if has_telemetry:
                show(f"control plane: {sent} calls at {rate} a second, {sent - stored} lost (goal 0)")
                path.unlink()
    ours, theirs = costs.values()
    show(
        f"control plane: {statistics.median(ours):.1f} µs a call, {statistics.median(theirs):.1f} µs of it for the log"
    )
    more = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
    show(f"control plane: {more:.1f} µs a call for telemetry (goal at most 15)")
    show_ratio("control plane", statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), "of the log alone")


async def listened(logs: Path, path: Path, rate: int, seconds: int, has_telemetry: bool) -> tuple[float, int]:
    """Reads what a worker says of its calls, as the control plane does, and returns the processor seconds that this
    took, and how many calls were stored.
    """
    recorder = Recorder(path)
    journal = Journal(LogBook(logs / "logs", "shop"), AuditBook(logs / "audit", "shop", NOTHING))
    if has_telemetry:
        journal.on_operation = lambda release, operation: recorder.record("shop", release, operation)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "benchmarks.telemetry", "--feed", f"--rate={rate}", f"--seconds={seconds}"]
    begun = time.process_time()
    with subprocess.Popen(command, stdout=writing, cwd=ROOT):
        os.close(writing)
        watching = asyncio.create_task(recorder.watch(lambda: ["shop"]))
        await OutputPipe(reading, lambda line: journal.write_line(line, level="info", release=1, worker=1)).follow()
        watching.cancel()
        await recorder.flush()
    spent = time.process_time() - begun
    journal.close()
    recorder.close()
    with closing(sqlite3.connect(path)) as db:
        stored: int = db.execute("SELECT count(*) FROM calls").fetchone()[0]
    return spent, stored


def percentiles(calls: int) -> None:
    dice = random.Random(7)
    known = sorted(dice.lognormvariate(3, 1) for _ in range(calls))
    buckets = Counter(map(bucket_of, known))
    for share in SHARES:
        found, right = percentile(buckets, share) or 0.0, known[int(calls * share)]
        show(f"p{share * 100:.0f} of {calls} known latencies: {abs(found / right - 1):.1%} off (goal at most 5 %)")


def store(path: Path, calls: int) -> None:
    """Fills a store, and measures its size and how quickly it answers, beside counting its rows one by one."""
    now = time.time()
    begun = time.process_time()
    fill(path, calls, now, DAYS)
    show(
        f"store: {(time.process_time() - begun) / calls * 1e6:.1f} µs of processor time a call, this program's included"
    )
    show(f"store: {size(path, 'calls', 'calls_of'):.0f} MB of calls (goal 60)")
    by_row = _timed(lambda: _count_by_row(path, "p1", now))
    writer = TelemetryStore(path)
    writer.clean(now)
    writer.close()
    show(f"store: {size(path, 'hours', 'client_hours', 'days'):.0f} MB of their sums (goal 10)")
    asked: dict[str, tuple[float, By]] = {
        "30 days": (DAYS, "tool"),
        "7 days, by client": (7, "client"),
        "1 hour": (1 / 24, "tool"),
    }
    for title, (days, by) in asked.items():
        seconds = [_timed(lambda: summarize(path, "p1", now - days * DAY_S, now, by)) for _ in range(5)]  # noqa: B023
        spent = statistics.median(seconds) * 1000
        show(f"store: one project's last {title} in {spent:.0f} ms of processor time (goal 100)")
    month = _timed(lambda: summarize(path, "p1", now - DAYS * DAY_S, now, "tool"))
    show_ratio("store", month / by_row, "of reading the project's calls one by one, at most 0.5")


def fill(path: Path, calls: int, now: float, days: float) -> None:
    """Writes so many calls of the last days."""
    dice = random.Random(7)
    writer = TelemetryStore(path)
    for first in range(0, calls, 200):
        batch = range(first, min(first + 200, calls))
        ages = [1 - number / calls for number in batch]
        writer.write([_happened(dice, now - days * DAY_S * age, 1 + int((1 - age) * RELEASES)) for age in ages])
    writer.close()


def _happened(dice: random.Random, at: float, release: int) -> Happened:
    kind = "ok" if dice.random() < 0.97 else "exception"
    name, client = f"tool{dice.randrange(TOOLS)}", f"client{dice.randrange(20)}/1.0"
    request = f"{dice.getrandbits(64):016x}"
    ms = round(dice.lognormvariate(3, 1), 2)
    operation = Operation("tools/call", name, client, kind, ms, bytes_in=120, bytes_out=300, request=request)
    return Happened(at, f"p{dice.randrange(PROJECTS)}", release, operation)


def size(path: Path, *tables: str) -> float:
    """Returns the megabytes of some tables and indexes."""
    with closing(sqlite3.connect(path)) as db:
        pages = dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
    return float(sum(pages[table] for table in tables)) / 1e6


def _count_by_row(path: Path, project: str, now: float) -> None:
    buckets: Counter[int] = Counter()
    with closing(sqlite3.connect(path)) as db:
        wanted = "project = (SELECT id FROM projects WHERE name = ?) AND ts < ?"
        for (ms,) in db.execute(f"SELECT ms FROM calls WHERE {wanted}", (project, now * 1000)):
            buckets[bucket_of(ms / 100)] += 1
    percentile(buckets, 0.95)


def _timed(work: Callable[[], object]) -> float:
    """Returns the processor seconds of some work: those of a clock say little on a machine that has other work."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
