"""Tests what somebody is told whose platform cannot serve."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from platform_cli.controlplane.stopped import reason_to_stop


def test_a_damaged_store_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.write_text("what was no database is none now, either\n" * 40)
    with closing(sqlite3.connect(file)) as store, pytest.raises(sqlite3.DatabaseError) as caught:
        store.execute("SELECT * FROM sqlite_master")
    message, hint = reason_to_stop(caught.value).splitlines()
    assert message == "what it keeps cannot be read or written: file is not a database"
    assert hint.startswith("a file of HOMEPORT_HOME is damaged")


def test_a_full_database_is_a_full_disk(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        store.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            store.execute("CREATE TABLE more (id)")
    assert "free space" in reason_to_stop(caught.value)
