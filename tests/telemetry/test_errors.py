"""Tests what makes a group of errors, what becomes of it, and that no server can fill the file with them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.api.error_group import ErrorFrame
from platform_cli.telemetry import error_store
from platform_cli.telemetry.error_event import ErrorEvent, read_error
from platform_cli.telemetry.error_groups import find_group, list_groups
from platform_cli.telemetry.error_store import MAX_SAMPLES, ErrorStore, Failed
from platform_cli.telemetry.grouping import key_of, normalised
from platform_cli.telemetry.store import TelemetryStore


def frame(function: str = "find", line: int = 7, file: str = "server.py", *, own: bool = True) -> ErrorFrame:
    return {"file": file, "function": function, "line": line, "own": own, "source": [], "source_start": 0}


BOOM = ErrorEvent("exception", "KeyError", "'k'", "tools/call", "boom", "r1", (frame("boom", 3), frame()))


@pytest.fixture
def store(store: TelemetryStore) -> ErrorStore:
    return store.errors


def failed(event: ErrorEvent = BOOM, release: int = 1, at: float = 100.0, project: str = "shop") -> Failed:
    return Failed(at, project, release, event)


SAME = {
    "lines that moved": replace(BOOM, frames=(frame("boom", 30), frame(line=70))),
    "another message": replace(BOOM, message="'other'"),
    "another tool that comes to the same function by the same way": replace(BOOM, name="other"),
    "a deeper recursion": replace(BOOM, frames=(frame("boom", 3), *[frame()] * 20)),
    "another way through a library": replace(BOOM, frames=(frame("boom", 3), frame(), frame("decode", own=False))),
}
OTHER = {
    "another type": replace(BOOM, type="ValueError"),
    "another function": replace(BOOM, frames=(frame("boom", 3), frame("search"))),
    "another file": replace(BOOM, frames=(frame("boom", 3), frame(file="lib.py"))),
    "a crash": replace(BOOM, kind="crash"),
}


@pytest.mark.parametrize("event", SAME.values(), ids=SAME)
def test_one_cause_is_one_group(event: ErrorEvent) -> None:
    assert key_of(event) == key_of(BOOM)


@pytest.mark.parametrize("event", OTHER.values(), ids=OTHER)
def test_another_cause_is_another_group(event: ErrorEvent) -> None:
    assert key_of(event) != key_of(BOOM)


def test_without_code_of_the_servers_own_the_message_decides() -> None:
    bare = replace(BOOM, frames=(frame("decode", own=False),), message="no row 17 in 'users'")
    assert key_of(bare) == key_of(replace(bare, message="no row 18 in 'orders'"))
    assert key_of(bare) != key_of(replace(bare, message="no table 18 in 'orders'"))
    assert key_of(bare) != key_of(replace(bare, name="other"))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("row 12 of 3.5", "row <number> of <number>"),
        ("id 0f8fad5b-d9cb-469f-a165-70867728950e is gone", "id <uuid> is gone"),
        ("GET https://example.com/a?b=1 failed", "GET <url> failed"),
        ("no mail for ada@example.com", "no mail for <email>"),
        ("cannot open /srv/data/a.txt", "cannot open <path>"),
        ("key 'a' or \"b\"", "key <quoted> or <quoted>"),
        ("commit 4b9f4b1a8e is not here\nmore", "commit <hex> is not here"),
        ("", ""),
        ("defaced facade", "defaced facade"),
    ],
)
def test_what_differs_each_time_does_not_count(message: str, text: str) -> None:
    assert normalised(message) == text


@pytest.mark.parametrize("hostile", ["'" * 5000, "a" * 5000, "/" * 5000, "0f" * 2500, "a@" * 2500, "\ud800" * 300])
def test_a_hostile_message_has_a_key(hostile: str) -> None:
    assert len(key_of(replace(BOOM, frames=(), message=hostile))) == 32


def test_a_group_counts_by_release_and_keeps_samples(store: ErrorStore, path: Path) -> None:
    store.write([failed(at=number, release=1 + number // 10) for number in range(12)])
    store.write([failed(replace(BOOM, message="'new'"), release=2, at=50.0)])
    (group,) = list_groups(path, "shop")
    assert (group["count"], group["message"], group["where"]) == (13, "'new'", "server.py:7")
    assert (group["first_release"], group["last_release"], group["first_seen"]) == ("v1", "v2", 0.0)
    found = find_group(path, "shop", group["id"])
    assert found is not None
    assert [(each["release"], each["count"]) for each in found["releases"]] == [("v2", 3), ("v1", 10)]
    times = [sample["time"] for sample in found["samples"] if sample["release"] == "v1"]
    assert times == [9.0, 3.0, 2.0, 1.0, 0.0], "the first ones, and the newest"
    assert len(times) == MAX_SAMPLES
    assert found["samples"][0]["frames"] == [dict(each) for each in BOOM.frames]
    assert find_group(path, "other", group["id"]) is None


def test_a_resolved_group_regresses_in_a_later_release_alone(store: ErrorStore, path: Path) -> None:
    store.write([failed(release=3)])
    (group,) = list_groups(path, "shop")
    assert store.change("shop", group["id"], "resolved", 3, 200.0)
    assert store.count_open() == {}
    for release in (3, 2):
        store.write([failed(release=release, at=300.0)])
        assert list_groups(path, "shop")[0]["state"] == "resolved"
    store.write([failed(release=4, at=400.0), failed(release=5, at=500.0)])
    (group,) = list_groups(path, "shop")
    assert (group["state"], group["state_release"], group["state_at"]) == ("regressed", "v4", 400.0)
    assert store.count_open() == {"shop": 1}
    assert store.change("shop", group["id"], "muted", 5, 600.0)
    store.write([failed(release=6)])
    assert list_groups(path, "shop")[0]["state"] == "muted"
    assert not store.change("other", group["id"], "open", 6, 700.0)


def test_a_server_cannot_fill_the_file(store: ErrorStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_store, "MAX_GROUPS", 10)
    monkeypatch.setattr(error_store, "MAX_PROJECT_SAMPLES", 7)
    store.write([failed(replace(BOOM, type=f"Error{number}"), at=number) for number in range(10)])
    newest = list_groups(path, "shop")[0]
    store.change("shop", newest["id"], "resolved", 1, 50.0)
    store.write([failed(project="other"), failed(replace(BOOM, type="Another"), at=60.0)])
    left = [group["type"] for group in list_groups(path, "shop")]
    assert len(left) == 10
    assert newest["type"] not in left, "what is resolved goes first"
    assert "Error0" in left
    store.write([failed(replace(BOOM, type="One more"), at=70.0)])
    assert "Error0" not in [group["type"] for group in list_groups(path, "shop")], "then what was not seen for long"
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM error_samples WHERE project = 'shop'").fetchone() == (7,)
        assert db.execute("SELECT count(*) FROM error_releases").fetchone() == (11,)
    assert len(list_groups(path, "other")) == 1


def test_groups_of_a_project_that_is_gone_are_removed(path: Path) -> None:
    store = TelemetryStore(path)
    store.errors.write([failed(), failed(project="gone")])
    store.keep_only(["shop"])
    store.close()
    assert [len(list_groups(path, project)) for project in ("shop", "gone")] == [1, 0]


SAID = {
    "type": "KeyError", "message": "'k'", "method": "tools/call", "name": "boom", "request": "r1",
    "frames": [{"file": "server.py", "function": "find", "line": 7, "own": True, "source": ["a", "b"], "start": 6}],
}  # fmt: skip


def read(**changes: object) -> ErrorEvent | None:
    return read_error(json.dumps({"error": {**SAID, **changes}}).encode())


def test_a_record_is_read() -> None:
    found = read()
    assert found is not None
    assert (found.kind, found.type, found.method, found.name) == ("exception", "KeyError", "tools/call", "boom")
    assert found.frames == (
        {"file": "server.py", "function": "find", "line": 7, "own": True, "source": ["a", "b"], "source_start": 6},
    )
    crash = read(type="crash", frames=[])
    assert crash is not None
    assert crash.kind == "crash"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": None}, {"type": 1}, {"type": ""}, {"frames": None}, {"frames": {}}, {"frames": [None]},
        {"frames": SAID["frames"] * 31}, {"frames": [{"file": "a", "function": "b", "line": "7"}]},  # type: ignore[operator]
        {"frames": [{"file": "a", "function": "b", "line": 2**31}]},
        {"frames": [{"file": "a", "function": "b", "line": True}]}, {"message": "x" * 65_536},
    ],
)  # fmt: skip
def test_what_cannot_be_is_no_error(changes: dict[str, object]) -> None:
    assert read(**changes) is None


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"error":1}', b'{"error":[]}', b"[" * 50_000, b"\xff"])
def test_what_is_no_record_is_no_error(line: bytes) -> None:
    assert read_error(line) is None


def test_texts_are_cut_and_steer_nothing() -> None:
    found = read(message="a\x1b[2J\n\u202eb\ud800" + "x" * 5000, name="n" * 500, method="no/such", request=7)
    assert found is not None
    assert found.message.startswith("a?[2J\n?b?xxx")
    assert (len(found.message), len(found.name or "")) == (1000, 128)
    assert (found.method, found.request) == ("_OTHER", None)
