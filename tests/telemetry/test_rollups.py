"""Tests that sums say the same as the operations that they are made of, whatever a period is read from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from platform_cli.api.metrics import By, Metrics
from platform_cli.telemetry.histogram import unpack
from platform_cli.telemetry.rollups import DAY_S, HOUR_S
from platform_cli.telemetry.store import RAW_S, Happened, TelemetryStore
from platform_cli.telemetry.summary import by_client, summarize

from .stored import NOW, happened

CLIENTS = ("desk/1", "cursor")
# Makes a file what it was before there were days.
BEFORE = """
DROP TABLE client_hours;
DROP TABLE days;
ALTER TABLE hours RENAME TO packed;
CREATE TABLE hours (
    project TEXT NOT NULL, hour INTEGER NOT NULL, release INTEGER NOT NULL, method TEXT NOT NULL,
    tool INTEGER NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL, bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL, cold INTEGER NOT NULL, histogram TEXT NOT NULL,
    PRIMARY KEY (project, hour, release, method, tool, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO hours SELECT project, hour, release, method, tool, kind, n, bytes_in, bytes_out, cold, as_json(histogram)
    FROM packed;
DROP TABLE packed;
PRAGMA user_version = 1;
"""


def month() -> list[Happened]:
    """Returns an operation for each hour of a month, of which every tenth has failed and every eleventh was refused."""
    return [
        happened(
            f"tool {hour % 3}",
            at=NOW - hour * HOUR_S,
            kind="crash" if hour % 10 == 0 else "refused" if hour % 11 == 0 else "ok",
            client=CLIENTS[hour % 2],
            ms=float(1 + hour % 50),
            bytes_out=hour,
        )
        for hour in range(30 * 24)
    ]


def rows(found: Metrics) -> Mapping[str | None, object]:
    """Returns what was found, but for its division into steps."""
    return {
        row["key"]: {**row, "series": sum(row["series"]), "failures": sum(row["failures"])} for row in found["rows"]
    }


def asked(path: Path, days: float, by: By = "tool") -> Metrics:
    return summarize(path, "shop", NOW - days * DAY_S, NOW + 1, by)


@pytest.mark.parametrize("order", [1, -1])
def test_days_say_what_their_hours_say(store: TelemetryStore, path: Path, order: int) -> None:
    store.write(month()[::order])
    by_hours = asked(path, 20)
    store.clean(NOW)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(DISTINCT day), max(day) FROM days").fetchone() == (
            30,
            NOW // DAY_S * DAY_S - DAY_S,
        )
        # They alone are read.
        db.execute("DELETE FROM hours WHERE hour < ?", (NOW // DAY_S * DAY_S,))
        db.commit()
    assert asked(path, 20) == by_hours
    assert by_hours["step_s"] == DAY_S
    assert by_hours["since"] % DAY_S == 0
    assert by_hours["total"]["series"][:-1] == [24] * 20
    assert by_hours["total"]["operations"] == sum(each.time >= by_hours["since"] for each in month())


def test_a_period_that_ended_within_a_day_has_its_hours(store: TelemetryStore, path: Path) -> None:
    store.write(month())
    store.clean(NOW)
    until = NOW // DAY_S * DAY_S - DAY_S + 5 * HOUR_S
    found = summarize(path, "shop", until - 10 * DAY_S, until, "tool")
    assert found["total"]["operations"] == sum(found["since"] <= each.time < until for each in month())


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_comes_to_a_day_that_was_summed_up_is_in_it(path: Path, *, is_restarted: bool) -> None:
    store = TelemetryStore(path)
    store.write(month())
    store.clean(NOW)
    if is_restarted:
        store.close()
        store = TelemetryStore(path)
    before = asked(path, 20)["total"]["operations"]
    store.write([happened(at=NOW - 3 * DAY_S), happened("new", at=NOW - 3 * DAY_S)])
    assert asked(path, 20)["total"]["operations"] == before + 2
    store.clean(NOW)
    store.clean(NOW + DAY_S)
    assert asked(path, 20)["total"]["operations"] == before + 2
    store.close()


def test_clients_of_a_week(store: TelemetryStore, path: Path) -> None:
    store.write(month())
    store.clean(NOW)
    found = asked(path, 6, "client")
    assert found["total"] | {"series": 0, "failures": 0} == asked(path, 6)["total"] | {"series": 0, "failures": 0}
    assert sorted(map(str, rows(found))) == sorted(CLIENTS)
    counted = {each["client"]: each["operations"] for each in by_client(path, "shop", NOW - 6 * DAY_S, NOW + 1)}
    assert counted == {row["key"]: row["operations"] for row in found["rows"]}
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT min(hour) FROM client_hours").fetchone()[0] >= NOW - RAW_S - HOUR_S


def test_operations_of_an_earlier_version_have_clients_and_days(path: Path) -> None:
    store = TelemetryStore(path)
    store.write(month())
    store.clean(NOW)
    known = [asked(path, 20), asked(path, 6, "client")]
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.create_function("as_json", 1, lambda packed: json.dumps(unpack(packed)))
        db.executescript(BEFORE)
    store = TelemetryStore(path)
    assert [asked(path, 20), asked(path, 6, "client")] == known
    store.clean(NOW)
    assert [asked(path, 20), asked(path, 6, "client")] == known
    store.close()


def test_nothing_is_left_of_a_project_that_is_gone(store: TelemetryStore, path: Path) -> None:
    store.write(month())
    store.clean(NOW)
    store.forget("shop")
    for days in (20.0, 6.0):
        assert asked(path, days)["total"]["operations"] == 0
    assert asked(path, 6, "client")["rows"] == []
    store.write([happened(at=NOW - 3 * DAY_S)])
    assert asked(path, 20)["total"]["operations"] == 1
