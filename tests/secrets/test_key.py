from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keyring.backend
import keyring.backends.fail
import keyring.backends.macOS
import keyring.backends.null
import keyring.errors
import pytest

from platform_cli.errors import PlatformError
from platform_cli.home import Home
from platform_cli.secrets import key
from platform_cli.secrets.key import create_key, key_file, load_key, usable_keyring


class Kept:
    """Is a keyring in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


class Locked(Kept):
    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked("the collection is locked")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError("the collection is locked")


class Mac(keyring.backends.macOS.Keyring):
    priority = 5


class Plain(keyring.backend.KeyringBackend):
    """Stands for those of keyrings.alt, which write plain text."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        raise AssertionError

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def use(monkeypatch: pytest.MonkeyPatch, backend: Kept | None) -> None:
    monkeypatch.setattr(key, "usable_keyring", lambda: backend)


def test_a_file_where_there_is_no_keyring(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, None)
    assert load_key(home) is None
    made = create_key(home)
    assert len(made) == 32
    assert load_key(home) == made
    assert stat.S_IMODE(key_file(home).stat().st_mode) == 0o600
    assert [file.name for file in home.root.iterdir()] == ["secrets.key"]


def test_the_keyring_where_there_is_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    use(monkeypatch, kept)
    made = create_key(home)
    assert load_key(home) == made
    assert list(kept.entries) == [("homeport", str(home.root))]
    assert not key_file(home).exists()


def test_a_keyring_that_keeps_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Locked())
    made = create_key(home)
    assert key_file(home).exists()
    assert load_key(home) == made
    key_file(home).unlink()
    with pytest.raises(PlatformError, match="the collection is locked"):
        load_key(home)


@pytest.mark.parametrize("backend", [keyring.backends.fail.Keyring, keyring.backends.null.Keyring, Plain])
def test_what_is_no_keyring(monkeypatch: pytest.MonkeyPatch, backend: Callable[[], Any]) -> None:
    monkeypatch.setattr("keyring.get_keyring", backend)
    assert usable_keyring() is None


def test_the_first_usable_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    backends: list[Any] = [make() for make in (Plain, Mac)]
    monkeypatch.setattr("keyring.get_keyring", lambda: SimpleNamespace(backends=backends))
    assert usable_keyring() is backends[1]


def test_a_keyring_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no session bus")

    monkeypatch.setattr("keyring.get_keyring", broken)
    assert usable_keyring() is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_file_that_is_open_to_others_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    use(monkeypatch, None)
    made = create_key(home)
    key_file(home).chmod(mode)
    with pytest.raises(PlatformError, match="is open to others") as caught:
        load_key(home)
    assert caught.value.hint == f"chmod 600 {key_file(home)}"
    key_file(home).chmod(0o600)
    assert load_key(home) == made
