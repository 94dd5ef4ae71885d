"""Keeps which user each project's server runs as, where servers have users of their own."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

from homeport_runtime.hosts.users import PROJECTS

from ..errors import PlatformError
from .settings import Settings

# The setting with the id that was given last.
LAST = "last_user"


class Users:
    """Gives ids in turn, so that files that a removed project has left elsewhere are nobody's for long.

    Each home begins somewhere else, so that two platforms of one machine hardly share an id.
    """

    def __init__(self, db: sqlite3.Connection, settings: Settings, home: Path) -> None:
        self._db = db
        self._settings = settings
        digest = hashlib.sha256(os.fsencode(home)).digest()
        self._first = PROJECTS[int.from_bytes(digest[:8], "big") % len(PROJECTS)]
        db.execute("CREATE TABLE IF NOT EXISTS users (project TEXT PRIMARY KEY, id INTEGER NOT NULL UNIQUE) STRICT")

    def find(self, project: str) -> int | None:
        row = self._db.execute("SELECT id FROM users WHERE project = ?", (project,)).fetchone()
        return row[0] if row else None

    def of(self, project: str) -> int:
        """Returns the user of a project, which keeps it until it is removed."""
        user = self.find(project)
        if user is None:
            user = self.next()
            self._db.execute("INSERT INTO users (project, id) VALUES (?, ?)", (project, user))
        return user

    def next(self) -> int:
        """Returns a user that no project has, and that will not be given again soon.

        Raises PlatformError if there is none.
        """
        taken = {row[0] for row in self._db.execute("SELECT id FROM users")}
        last = int(self._settings.get(LAST) or self._first)
        for step in range(1, len(PROJECTS) + 1):
            user = PROJECTS[(last - PROJECTS.start + step) % len(PROJECTS)]
            if user not in taken:
                self._settings.set(LAST, str(user))
                return user
        raise PlatformError("every user that servers may have is taken", hint="destroy projects that nobody needs")

    def forget(self, project: str) -> None:
        self._db.execute("DELETE FROM users WHERE project = ?", (project,))
