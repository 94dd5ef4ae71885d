"""Opens the platform's SQLite files in WAL mode (https://sqlite.org/wal.html), with each change durable when it
returns.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def open_database(path: Path) -> sqlite3.Connection:
    """Opens the database at `path`, and creates it with mode 0600 where it does not exist.

    On a full disk there is no room for the index that processes share (-shm). The database is then opened in exclusive
    mode, in which it can still be read.
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
        # SQLite opens the file only when something is read, so this finds out whether it can be opened.
        database.execute("PRAGMA user_version")
    except BaseException:
        database.close()
        raise
    return database
