"""SQLite files of the platform: in WAL mode (https://sqlite.org/wal.html), each change on disk when it is made."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def open_database(path: Path) -> sqlite3.Connection:
    """Creates it, for its owner alone, where it is not there. On a full disk there is no room for the index that
    processes share (-shm): then the database is this one's alone, which can read all of it.
    """
    path.touch(mode=0o600)
    path.chmod(0o600)
    with contextlib.suppress(sqlite3.OperationalError):
        return _open(path)
    return _open(path, "PRAGMA locking_mode = EXCLUSIVE")


def _open(path: Path, *settings: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        for setting in (*settings, "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"):
            database.execute(setting)
        # Nothing is read before.
        database.execute("PRAGMA user_version")
    except BaseException:
        database.close()
        raise
    return database
