"""Tests that single operations are found by what they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.api.call_query import CallQuery
from platform_cli.telemetry.calls import find_calls, known_names
from platform_cli.telemetry.operation import Operation
from platform_cli.telemetry.store import Happened, TelemetryStore
from platform_cli.telemetry.summary import break_down, by_client, by_release, totals

NOW = 1_800_000_000.0


def happened(age: float, name: str | None, kind: str = "ok", *, release: int = 1, ms: float = 1.0) -> Happened:
    method = "tools/call" if name else "tools/list"
    operation = Operation(method, name, "cursor", kind, ms, request=f"r{age:g}")
    return Happened(NOW - age, "shop", release, operation)


@pytest.fixture
def path(path: Path, store: TelemetryStore) -> Path:
    store.write(
        [
            happened(400, "add"),
            happened(300, "add", "exception", release=2, ms=50),
            happened(200, None),
            happened(100, "say", "crash", release=2, ms=2000),
        ]
    )
    return path


@pytest.mark.parametrize(
    ("query", "ages"),
    [
        (CallQuery(), [100, 200, 300, 400]),
        (CallQuery(tool="add"), [300, 400]),
        (CallQuery(method="tools/list"), [200]),
        (CallQuery(client="cursor", kind="failed"), [100, 300]),
        (CallQuery(kind="crash"), [100]),
        (CallQuery(release="v2", slower_ms=60), [100]),
        (CallQuery(request="r300"), [300]),
        (CallQuery(since=NOW - 250, until=NOW - 150), [200]),
        (CallQuery(tool="' OR 1=1 --"), []),
        (CallQuery(release="nonsense"), []),
        (CallQuery(since=float("nan")), []),
    ],
)
def test_what_is_found(path: Path, query: CallQuery, ages: list[float]) -> None:
    assert [NOW - each["time"] for each in find_calls(path, "shop", query, 10)] == ages


def test_the_newest_and_the_projects_own_alone(path: Path) -> None:
    assert [each["name"] for each in find_calls(path, "shop", CallQuery(), 2)] == ["say", None]
    assert find_calls(path, "other", CallQuery(), 10) == []
    assert known_names(path, "shop", 10) == (["add", "say"], ["cursor"])
    assert known_names(path, "shop", 1) == (["add"], ["cursor"])


def test_one_reading_tells_all_ways(path: Path) -> None:
    found = break_down(path, "shop", NOW - 3600, NOW, ["tool", "method", "client", "release"])
    assert {row["key"]: row["operations"] for row in found["tool"]["rows"]} == {"add": 2, "say": 1, "tools/list": 1}
    assert {row["key"]: row["failed"] for row in found["release"]["rows"]} == {"v1": 0, "v2": 2}
    assert {row["key"] for row in found["method"]["rows"]} == {"tools/call", "tools/list"}
    assert found["client"]["total"] == found["tool"]["total"]
    steps = found["tool"]["steps"]
    assert [sum(step["kinds"].values()) for step in steps] == found["tool"]["total"]["series"]
    assert steps[0]["p95"] is None
    assert steps[-1]["kinds"] == {"crash": 1}


def test_several_projects_at_once(path: Path) -> None:
    found = totals(path, ["shop", "other"], NOW - 86400, NOW)
    assert (found["shop"]["operations"], found["other"]["operations"]) == (4, 0)


def test_counts_by_client_and_by_release(path: Path) -> None:
    (client,) = by_client(path, "shop", NOW - 350, NOW)
    assert (client["client"], client["operations"], client["failed"]) == ("cursor", 3, 2)
    assert client["kinds"] == {"exception": 1, "ok": 1, "crash": 1}
    assert by_release(path, "shop", NOW - 86400) == {
        "v1": {"operations": 2, "failed": 0},
        "v2": {"operations": 2, "failed": 2},
    }
