"""Tests what the platform remembers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.controlplane.store import MIGRATIONS, ReleaseRow, Store
from platform_cli.errors import NotFoundError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


def release(number: int, bundle: str, error: str | None = None) -> ReleaseRow:
    return ReleaseRow("tiny", number, bundle, 1.0, error, {"KEY": number})


def test_it_is_the_owners_and_has_a_version(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    assert path.stat().st_mode & 0o777 == 0o600
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    database.close()


def test_numbers_go_on_after_failures_and_rollbacks(store: Store) -> None:
    store.create_project("tiny", 8700, "key", "/folder")
    assert store.next_number("tiny") == 1
    store.add_release(release(1, "a"))
    store.add_release(release(2, "b", "no luck"))
    assert store.project("tiny").active == 1
    store.add_release(release(3, "c"))
    store.set_active("tiny", 1)
    assert store.next_number("tiny") == 4
    assert [(row.number, row.error) for row in store.releases("tiny")] == [(3, None), (2, "no luck"), (1, None)]


def test_a_change_is_whole_or_not_at_all(store: Store) -> None:
    store.create_project("tiny", 8700, "key", "/folder")
    store.add_release(release(1, "a"))
    with pytest.raises(sqlite3.IntegrityError):
        store.add_release(release(1, "b"))
    assert [row.bundle for row in store.releases("tiny")] == ["a"]
    store.add_release(release(2, "b"))
    assert store.project("tiny").active == 2


def test_ports_belong_to_one_project(store: Store) -> None:
    store.create_project("tiny", 8700, "key", "/folder")
    with pytest.raises(sqlite3.IntegrityError):
        store.create_project("other", 8700, "key", "/folder")


def test_it_survives_and_forgets_what_is_deleted(store: Store, tmp_path: Path) -> None:
    store.create_project("tiny", 8700, "key", "/folder")
    store.add_release(release(1, "a"))
    other = Store(tmp_path / "store.db")
    assert other.project("tiny").port == 8700
    other.delete_project("tiny")
    other.close()
    assert store.find_project("tiny") is None
    assert store.releases("tiny") == []


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(NotFoundError, match="'nothing'"):
        store.project("nothing")
    store.create_project("tiny", 8700, "key", "/folder")
    with pytest.raises(NotFoundError, match="v9"):
        store.release("tiny", 9)


def test_a_store_of_an_older_version_keeps_what_it_has(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "store.db")
    db.executescript(MIGRATIONS[0])
    db.execute("INSERT INTO projects VALUES ('app', 8700, 'key', '/app', 1.0, 1)")
    db.execute("INSERT INTO releases VALUES ('app', 1, 'bundle', 2.0, NULL)")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    for _ in range(2):
        store = Store(tmp_path / "store.db")
        assert store.project("app").active == 1
        assert store.releases("app") == [ReleaseRow("app", 1, "bundle", 2.0, None, {}, "deploy")]
        store.close()


def test_a_release_and_its_secrets(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.create_project("app", 8700, "key", "/app")
    served = ReleaseRow("app", 1, "bundle", 2.0, None, {"A": 3}, "secret A")
    failed = ReleaseRow("app", 2, "bundle", 3.0, "no", {"A": 4}, "deploy")
    store.add_release(served)
    store.add_release(failed)
    assert store.releases("app") == [failed, served]
    assert store.project("app").active == 1
    store.close()
