"""Tests what is kept of operations: sums that are right, names that are bounded, and nothing of what is gone."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from platform_cli.api.call_query import CallQuery
from platform_cli.telemetry import store as store_module
from platform_cli.telemetry.calls import find_calls
from platform_cli.telemetry.histogram import bucket_of, pack, percentile, unpack
from platform_cli.telemetry.recorder import Recorder
from platform_cli.telemetry.rollups import KEPT_S
from platform_cli.telemetry.store import MAX_NAMES, RAW_S, TelemetryStore
from platform_cli.telemetry.summary import summarize

from .stored import NOW, happened


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_right_within_5_percent(share: float) -> None:
    dice = random.Random(7)
    known = sorted(dice.lognormvariate(3, 1) for _ in range(20_000))
    found = percentile(Counter(map(bucket_of, known)), share)
    assert found == pytest.approx(known[int(len(known) * share)], rel=0.05)


def test_nothing_has_no_percentile() -> None:
    assert percentile({}, 0.5) is None
    assert bucket_of(0) == 0
    assert bucket_of(2.0**53) == bucket_of(2.0**52), "the last bucket has no end"


@pytest.mark.parametrize("most", [0, 1, 255, 256, 2**16, 2**32, 2**63])
def test_a_histogram_is_packed(most: int) -> None:
    known = {bucket_of(2.0**53): most, 0: 1, 7: 255}
    assert unpack(pack(known)) == known
    assert unpack(pack({})) == {}


@pytest.mark.parametrize("hours", [1, 48])
def test_operations_are_summed_up(store: TelemetryStore, path: Path, hours: int) -> None:
    failures = [happened("boom", kind=kind, ms=1.0, bytes_out=5) for kind in ("exception", "tool", "exception")]
    store.write([happened(cold=True), *failures, happened(None, method="tools/list", kind="refused", ms=0.0)])
    store.write([happened(ms=30.0), happened(at=NOW - 900, ms=30.0), happened(project="other")])
    found = summarize(path, "shop", NOW - hours * 3600, NOW + 1, "tool")
    assert {row["key"]: row["operations"] for row in found["rows"]} == {"add": 3, "boom": 3, "tools/list": 1}
    boom = next(row for row in found["rows"] if row["key"] == "boom")
    assert (boom["kinds"], boom["failed"], boom["bytes_out"]) == ({"exception": 2, "tool": 1}, 3, 15)
    assert boom["p50"] == pytest.approx(1.0, rel=0.05)
    total = found["total"]
    assert (total["operations"], total["failed"], total["cold"]) == (7, 4, 1)
    assert (sum(total["series"]), sum(total["failures"])) == (7, 4)
    refused = next(row for row in found["rows"] if row["key"] == "tools/list")
    assert refused["p50"] is None, "a refusal took no time, which says nothing of the server"


def test_sums_of_an_hour_survive_a_restart(path: Path) -> None:
    for _ in range(2):
        store = TelemetryStore(path)
        store.write([happened(), happened()])
        store.close()
    found = summarize(path, "shop", NOW - 48 * 3600, NOW + 1, "release")
    assert [(row["key"], row["operations"]) for row in found["rows"]] == [("v1", 4)]


def test_by_client(store: TelemetryStore, path: Path) -> None:
    store.write([happened(), happened(client="cursor"), happened(client="cursor")])
    found = summarize(path, "shop", NOW - 48 * 3600, NOW + 1, "client")
    assert [(row["key"], row["operations"]) for row in found["rows"]] == [("cursor", 2), ("desk/1", 1)]


def test_a_caller_cannot_fill_the_file_with_names(store: TelemetryStore, path: Path) -> None:
    store.write([happened(f"name {number}") for number in range(MAX_NAMES + 100)])
    found = summarize(path, "shop", NOW - 10, NOW + 1, "tool")
    assert len(found["rows"]) == MAX_NAMES + 1
    assert (found["rows"][0]["key"], found["rows"][0]["operations"]) == ("_OTHER", 100)


def test_what_is_old_and_what_is_gone_is_removed(store: TelemetryStore, path: Path) -> None:
    store.write([happened(), happened(at=NOW - RAW_S - 60), happened(at=NOW - KEPT_S - 7200), happened(project="gone")])
    store.clean(NOW)
    store.keep_only(["shop"])
    with closing(sqlite3.connect(path)) as db:
        of_each = "SELECT name, count(*) FROM calls JOIN projects ON id = project GROUP BY 1"
        assert db.execute(of_each).fetchall() == [("shop", 1)]
        assert db.execute("SELECT count(*) FROM calls WHERE project != 0").fetchone() == (1,)
        assert db.execute("SELECT count(DISTINCT project) FROM series").fetchone() == (1,)
        assert db.execute("SELECT project, count(*) FROM hours GROUP BY 1").fetchall() == [("shop", 2)]
        assert db.execute("SELECT count(*) FROM names WHERE project = 'gone'").fetchone() == (0,)


def test_series_without_calls_make_room(store: TelemetryStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_SERIES", 2)
    store.write([happened(f"old {number}", at=NOW - RAW_S - 60) for number in range(5)])
    store.write([happened("new")])
    store.clean(NOW)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM series").fetchone() == (1,)
    store.write([happened("old 1"), happened("new")])
    found = summarize(path, "shop", NOW - 60, NOW + 1, "tool")
    assert {row["key"]: row["operations"] for row in found["rows"]} == {"new": 2, "old 1": 1}


# What was written before there were series.
BEFORE = """
CREATE TABLE names (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (project, kind, text)
) STRICT;
CREATE TABLE calls (
    ts REAL NOT NULL, project TEXT NOT NULL, release INTEGER NOT NULL, method TEXT NOT NULL, tool INTEGER NOT NULL,
    client INTEGER NOT NULL, kind TEXT NOT NULL, code INTEGER, ms REAL NOT NULL, cold INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, request TEXT, trace TEXT
) STRICT;
CREATE INDEX calls_of ON calls (project, ts);
INSERT INTO names VALUES (1, 'shop', 'tool', 'add'), (2, 'shop', 'client', 'desk/1');
INSERT INTO calls (rowid, ts, project, release, method, tool, client, kind, code, ms, cold, bytes_in, bytes_out,
                   request, trace) VALUES
    (7, 1795980000.25, 'shop', 3, 'tools/call', 1, 2, 'ok', NULL, 12.34, 1, 5, 6, '0123456789abcdef', NULL),
    (9, 1795980001.5, 'gone', 1, 'tools/list', 0, 0, 'refused', -32001, 0.0, 0, 0, 0, 'odd', '{trace}');
"""


def test_the_calls_of_an_earlier_version_are_kept(path: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(BEFORE.format(trace=trace))
    for _ in range(2):
        store = TelemetryStore(path)
        store.write([happened()])
        store.close()
    first, *_ = find_calls(path, "shop", CallQuery(since=NOW, client="desk/1", kind="ok"), 10)
    assert len(find_calls(path, "shop", CallQuery(release="v1"), 10)) == 2
    assert find_calls(path, "shop", CallQuery(request="0123456789abcdef", until=first["time"]), 10) == [
        {"time": NOW + 0.25, "release": "v3", "method": "tools/call", "name": "add", "client": "desk/1", "kind": "ok",
         "code": None, "ms": 12.34, "cold": True, "bytes_in": 5, "bytes_out": 6, "request": "0123456789abcdef",
         "trace": None},
    ]  # fmt: skip
    (other,) = find_calls(path, "gone", CallQuery(request="odd"), 10)
    assert (other["kind"], other["code"], other["trace"]) == ("refused", -32001, trace)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT rowid FROM calls ORDER BY 1").fetchall() == [(7,), (9,), (10,), (11,)]


def test_a_file_that_cannot_be_written_costs_metrics_alone(tmp_path: Path) -> None:
    broken = tmp_path / "telemetry.sqlite"
    broken.write_bytes(b"no database at all" * 1000)
    recorder = Recorder(broken)
    recorder.record("shop", 1, happened().operation)
    asyncio.run(recorder.flush())
    recorder.close()
    assert "homeport_operations_lost_total 1" in recorder.text({})


def test_what_was_recorded_last_is_stored_when_the_platform_ends(path: Path) -> None:
    recorder = Recorder(path)
    recorder.record("shop", 3, happened().operation)
    recorder.record("gone", 1, happened().operation)
    recorder.forget("gone")
    recorder.close()
    now = time.time()
    assert summarize(path, "shop", now - 60, now + 60, "release")["rows"][0]["key"] == "v3"
    assert summarize(path, "gone", now - 60, now + 60, "release")["rows"] == []
