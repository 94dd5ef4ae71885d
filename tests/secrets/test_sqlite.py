from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.errors import PlatformError
from platform_cli.home import Home
from platform_cli.secrets.sqlite import SQLiteSecretStore

VALUE = "unique-6f1f0c2e-value"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[SQLiteSecretStore]:
    opened = SQLiteSecretStore(home)
    yield opened
    opened.close()


def test_versions_are_kept(store: SQLiteSecretStore) -> None:
    assert store.current("app") == {}
    assert store.set("app", {"A": "one", "B": "x"}) == ["A", "B"]
    assert store.set("app", {"A": "two", "B": "x"}) == ["A"]
    assert store.current("app") == {"A": 2, "B": 1}
    assert store.values("app", {"A": 1, "B": 1}) == {"A": "one", "B": "x"}
    assert store.values("app", {"A": 2}) == {"A": "two"}
    assert [(v.name, v.version, v.unset) for v in store.versions("app")] == [("A", 1, 0), ("A", 2, 0), ("B", 1, 0)]


def test_unset(store: SQLiteSecretStore) -> None:
    store.set("app", {"A": "one"})
    assert store.unset("app", "A")
    assert not store.unset("app", "A")
    assert not store.unset("app", "NEVER")
    assert store.current("app") == {}
    assert store.values("app", {"A": 1}) == {"A": "one"}
    with pytest.raises(PlatformError, match="version 2 of the secret A of app is gone"):
        store.values("app", {"A": 2})
    store.set("app", {"A": "one"})
    assert store.current("app") == {"A": 3}


def test_projects_do_not_share(store: SQLiteSecretStore) -> None:
    store.set("app", {"A": "one"})
    store.set("other", {"A": "two"})
    store.forget("app")
    assert (store.current("app"), store.current("other")) == ({}, {"A": 1})


def test_it_outlives_the_process(home: Home, store: SQLiteSecretStore) -> None:
    program = (
        "import os, sys; from pathlib import Path; from platform_cli.home import Home; "
        "from platform_cli.secrets.sqlite import SQLiteSecretStore; from platform_cli.secrets import key; "
        "key.usable_keyring = lambda: None; "
        "SQLiteSecretStore(Home(Path(sys.argv[1]))).set('app', {'A': 'one'}); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(home.root)], check=False)
    assert store.values("app", {"A": 1}) == {"A": "one"}


def test_nothing_can_be_read_in_the_files(home: Home, store: SQLiteSecretStore) -> None:
    store.set("app", {"A": VALUE})
    files = sorted(home.root.iterdir())
    assert {"secrets.db", "secrets.key"} <= {file.name for file in files}
    for file in files:
        assert VALUE.encode() not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_same_value_is_encrypted_anew_each_time(home: Home, store: SQLiteSecretStore) -> None:
    store.set("app", {"A": VALUE, "B": VALUE})
    rows = _rows(home, "SELECT nonce, ciphertext FROM secrets")
    assert len({nonce for nonce, _ in rows}) == len({data for _, data in rows}) == 2
    assert {len(nonce) for nonce, _ in rows} == {12}


def test_a_value_in_another_row_is_refused(home: Home, store: SQLiteSecretStore) -> None:
    """Whoever can write the database still cannot give one project the secret of another."""
    store.set("app", {"A": VALUE})
    _rows(home, "UPDATE secrets SET project = 'other'")
    with pytest.raises(PlatformError, match="cannot be decrypted"):
        store.values("other", {"A": 1})


def test_another_key(home: Home, tmp_path: Path) -> None:
    _stored(home)
    other = Home(tmp_path / "other")
    other.root.mkdir()
    _stored(other)
    shutil.copy(other.root / "secrets.key", home.root / "secrets.key")
    with pytest.raises(PlatformError, match="the secret A of app cannot be decrypted") as caught:
        _read(home)
    assert "secrets.key" in (caught.value.hint or "")


def test_a_key_that_is_gone_is_never_made_anew(home: Home) -> None:
    _stored(home)
    (home.root / "secrets.key").unlink()
    for attempt in (_read, _stored):
        with pytest.raises(PlatformError, match="the key of all secrets is gone"):
            attempt(home)
    assert not (home.root / "secrets.key").exists()


@pytest.mark.parametrize("text", ["", "short", "!" * 44, "A" * 44 + "A", "\xff"])
def test_a_broken_key(home: Home, text: str) -> None:
    _stored(home)
    (home.root / "secrets.key").write_text(text)
    with pytest.raises(PlatformError, match="does not hold a key"):
        _read(home)


def test_a_key_that_is_open_to_others(home: Home) -> None:
    _stored(home)
    (home.root / "secrets.key").chmod(0o644)
    with pytest.raises(PlatformError, match="open to others") as caught:
        _read(home)
    assert (caught.value.hint or "").startswith("chmod 600")


def test_all_or_none(store: SQLiteSecretStore) -> None:
    with pytest.raises(UnicodeEncodeError):
        store.set("app", {"A": "one", "B": os.fsdecode(b"\xff")})
    assert store.current("app") == {}


def _rows(home: Home, statement: str) -> list[tuple[bytes, bytes]]:
    with sqlite3.connect(home.root / "secrets.db") as db:
        rows = db.execute(statement).fetchall()
    db.close()
    return rows


def _stored(home: Home) -> None:
    store = SQLiteSecretStore(home)
    try:
        store.set("app", {"A": VALUE})
    finally:
        store.close()


def _read(home: Home) -> None:
    store = SQLiteSecretStore(home)
    try:
        store.values("app", {"A": 1})
    finally:
        store.close()
