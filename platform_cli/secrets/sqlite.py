"""Stores secrets in SQLite, each value encrypted with AES-256-GCM (NIST SP 800-38D)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..database import open_database
from ..errors import PlatformError
from ..home import Home
from .base import SecretVersion
from .key import create_key, key_file, load_key

# The length in bytes that SP 800-38D, section 8.2.2, recommends for nonces drawn at random.
NONCE_BYTES = 12
SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    set_at REAL NOT NULL,
    nonce BLOB,
    ciphertext BLOB,
    PRIMARY KEY (project, name, version)
) STRICT
"""


class SQLiteSecretStore:
    """Is a SecretStore in a file of its own with mode 0600, in which a version without ciphertext is a tombstone.

    The key is read when the first value is needed, and created when the first one is stored.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._key: bytes | None = None
        self._db = open_database(home.root / "secrets.db")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.execute(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def set(self, project: str, values: Mapping[str, str]) -> list[str]:
        current = self.current(project)
        before = self.values(project, {name: current[name] for name in values if name in current})
        changed = {name: value for name, value in values.items() if before.get(name) != value}
        numbers = {name: self._newest(project, name) + 1 for name in changed}
        rows = [
            (project, name, numbers[name], time.time(), *self._encrypt(project, name, numbers[name], value))
            for name, value in changed.items()
        ]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT INTO secrets VALUES (?, ?, ?, ?, ?, ?)", rows)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return list(changed)

    def unset(self, project: str, name: str) -> bool:
        if name not in self.current(project):
            return False
        row = (project, name, self._newest(project, name) + 1, time.time())
        self._db.execute("INSERT INTO secrets (project, name, version, set_at) VALUES (?, ?, ?, ?)", row)
        return True

    def _newest(self, project: str, name: str) -> int:
        query = "SELECT max(version) FROM secrets WHERE project = ? AND name = ?"
        return self._db.execute(query, (project, name)).fetchone()[0] or 0

    def versions(self, project: str) -> list[SecretVersion]:
        rows = self._db.execute(
            "SELECT name, version, set_at, ciphertext IS NULL FROM secrets WHERE project = ? ORDER BY name, version",
            (project,),
        )
        return [SecretVersion(name, version, set_at, bool(unset)) for name, version, set_at, unset in rows]

    def current(self, project: str) -> dict[str, int]:
        newest = {version.name: version for version in self.versions(project)}
        return {name: version.version for name, version in newest.items() if not version.unset}

    def values(self, project: str, versions: Mapping[str, int]) -> dict[str, str]:
        return {name: self._decrypt(project, name, version) for name, version in versions.items()}

    def forget(self, project: str) -> None:
        self._db.execute("DELETE FROM secrets WHERE project = ?", (project,))

    def _encrypt(self, project: str, name: str, version: int, value: str) -> tuple[bytes, bytes]:
        nonce = os.urandom(NONCE_BYTES)
        data = AESGCM(self.key()).encrypt(nonce, value.encode(), _identity(project, name, version))
        return nonce, data

    def _decrypt(self, project: str, name: str, version: int) -> str:
        row = self._db.execute(
            "SELECT nonce, ciphertext FROM secrets WHERE project = ? AND name = ? AND version = ?",
            (project, name, version),
        ).fetchone()
        if row is None or row[1] is None:
            raise PlatformError(
                f"version {version} of the secret {name} of {project} is gone",
                hint=f"homeport set-secret {name} --project {project}",
            )
        try:
            return AESGCM(self.key()).decrypt(row[0], row[1], _identity(project, name, version)).decode()
        except InvalidTag:
            raise PlatformError(
                f"the secret {name} of {project} cannot be decrypted: it was stored with another key",
                hint=f"restore {key_file(self._home)} from a backup, or set the secrets again in a new HOMEPORT_HOME",
            ) from None

    def key(self) -> bytes:
        """Returns the key of this home, from which keys for other uses may be derived.

        Raises PlatformError if it cannot be had.
        """
        if self._key is None:
            key = load_key(self._home)
            if key is None:
                if self._db.execute("SELECT 1 FROM secrets WHERE ciphertext IS NOT NULL LIMIT 1").fetchone():
                    raise PlatformError(
                        "the key of all secrets is gone",
                        hint=f"restore {key_file(self._home)} from a backup, or unlock the keyring that has it",
                    )
                key = create_key(self._home)
            self._key = key
        return self._key


def _identity(project: str, name: str, version: int) -> bytes:
    """Returns what is authenticated with a ciphertext, so that one that was moved to another row
    cannot be decrypted.
    """
    return f"{project}\0{name}\0{version}".encode()
