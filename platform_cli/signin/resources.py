"""Stores the resources elsewhere that people sign in to here: servers on Lambda, in containers or on a cluster
(RFC 8707), each with the URLs for which its tokens may be. The platform issues tokens for no other.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict
from urllib.parse import urlsplit

from ..addresses import is_readable_on_the_way, read_http_url
from ..config.issuers import Login
from ..config.names import AT
from ..errors import InputError, NotFoundError
from .model import ProtectedProject


class Resources:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS signin_resources (name TEXT PRIMARY KEY, project TEXT NOT NULL, said TEXT NOT "
            "NULL, registered_at REAL NOT NULL) STRICT"
        )

    def register(self, project: str, said: ProtectedProject) -> ProtectedProject:
        """Stores a resource that runs `project`, and returns it under its name: that of the one which has one of its
        URLs already, else the project's at its first host.

        Raises InputError for a URL of another project's.
        """
        there = {name: owner for name, owner in self._owners() if self._shares(name, said.urls)}
        foreign = [name for name, owner in there.items() if owner != project]
        if foreign:
            raise InputError(
                f"{foreign[0]} has one of these URLs",
                hint=f"`homeport platform resource remove {foreign[0]}` ends that one, with its sign-ins",
            )
        name = next(iter(there), f"{project}{AT}{urlsplit(said.urls[0]).netloc}")
        told = json.dumps({**asdict(said), "name": name})
        self._db.execute(
            "INSERT INTO signin_resources VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET said = excluded.said",
            (name, project, told, time.time()),
        )
        return _read(told)

    def find(self, name: str) -> ProtectedProject | None:
        row = self._db.execute("SELECT said FROM signin_resources WHERE name = ?", (name,)).fetchone()
        return _read(row[0]) if row else None

    def all(self) -> list[ProtectedProject]:
        rows = self._db.execute("SELECT said FROM signin_resources ORDER BY name").fetchall()
        return [_read(said) for (said,) in rows]

    def remove(self, name: str) -> None:
        """Raises NotFoundError if there is none of that name."""
        if self._db.execute("DELETE FROM signin_resources WHERE name = ?", (name,)).rowcount == 0:
            raise no_resource(name)

    def _owners(self) -> list[tuple[str, str]]:
        return self._db.execute("SELECT name, project FROM signin_resources ORDER BY name").fetchall()

    def _shares(self, name: str, urls: Sequence[str]) -> bool:
        there = self.find(name)
        return there is not None and not set(there.urls).isdisjoint(urls)


def no_resource(name: str) -> NotFoundError:
    return NotFoundError(
        f"no resource {name!r} is registered here", hint="`homeport platform resource list` shows those that are"
    )


def read_origin(url: str) -> str:
    """Returns the URL of a resource without a path, in its canonical form (RFC 8707, section 2).

    Raises InputError for one that tokens must not be sent to.
    """
    parts = read_http_url(url)
    if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise InputError(f"{url!r} is not the URL of a server", hint="for example https://notes.example.com, no path")
    if is_readable_on_the_way(parts):
        raise InputError(
            f"{url} would have tokens sent readable for everyone on the way", hint=f"https://{parts.netloc}"
        )
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}{f':{parts.port}' if parts.port not in (None, default) else ''}"


def _read(text: str) -> ProtectedProject:
    said = json.loads(text)
    users = said["users"]
    return ProtectedProject(
        name=said["name"],
        urls=tuple(said["urls"]),
        scopes=tuple(said["scopes"]),
        baseline=tuple(said["baseline"]),
        implies={scope: tuple(contained) for scope, contained in said["implies"].items()},
        users=None if users is None else {user: tuple(most) for user, most in users.items()},
        login=Login(**said["login"]) if said["login"] else None,
        is_elsewhere=True,
    )
