from __future__ import annotations

import sqlite3
from pathlib import Path

from platform_cli.controlplane.store import MIGRATIONS, ReleaseRow, Store


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
