"""Stores the key that encrypts secrets: in an OS keyring that can be used without a person, else in a file."""

from __future__ import annotations

import base64
import contextlib
import secrets
from pathlib import Path
from typing import Protocol

from ..errors import PlatformError
from ..home import Home, write_atomic

KEY_BYTES = 32
SERVICE = "homeport"
FILE_NAME = "secrets.key"


class Keyring(Protocol):
    """Declares the part of a `keyring` backend that is used."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...


def load_key(home: Home) -> bytes | None:
    """Returns the key of this home; None if it has none yet.

    Raises PlatformError if it cannot be read, is malformed, or others can read it.
    """
    path = key_file(home)
    try:
        text: str | None = path.read_text("ascii", "replace")
    except FileNotFoundError:
        text = _from_keyring(home)
    except OSError as error:
        raise PlatformError(
            f"{path} cannot be read: {error.strerror}", hint="it holds the key of all secrets"
        ) from None
    else:
        if path.stat().st_mode & 0o077:
            raise PlatformError(f"{path}, the key of all secrets, is open to others", hint=f"chmod 600 {path}")
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        if len(key := base64.b64decode(text.strip(), validate=True)) == KEY_BYTES:
            return key
    raise PlatformError(f"{path} does not hold a key of homeport", hint="restore it from a backup")


def create_key(home: Home) -> bytes:
    """Stores a new key and returns it."""
    key = secrets.token_bytes(KEY_BYTES)
    text = base64.b64encode(key).decode()
    backend = usable_keyring()
    if backend is not None:
        with contextlib.suppress(Exception):
            backend.set_password(SERVICE, str(home.root), text)
            if backend.get_password(SERVICE, str(home.root)) == text:
                return key
    write_atomic(key_file(home), f"{text}\n".encode())
    return key


def key_file(home: Home) -> Path:
    return home.root / FILE_NAME


def _from_keyring(home: Home) -> str | None:
    backend = usable_keyring()
    if backend is None:
        return None
    try:
        return backend.get_password(SERVICE, str(home.root))
    except Exception as error:
        raise PlatformError(f"the keyring does not give the key of all secrets: {error}", hint="unlock it") from None


def usable_keyring() -> Keyring | None:
    """Returns the macOS keychain, or a Secret Service that is unlocked; None if there is neither.

    Other backends store in plain text, or ask somebody for a password, and nobody sits in front of the platform.
    """
    try:
        import keyring.backend
        from keyring.backends import SecretService, macOS

        chosen = keyring.get_keyring()
        for backend in getattr(chosen, "backends", [chosen]):
            if isinstance(backend, macOS.Keyring) or (
                isinstance(backend, SecretService.Keyring) and _secret_service_is_open()
            ):
                found: Keyring = backend
                return found
    except Exception:
        # A broken desktop session may raise any error, and a file always works.
        return None
    return None


def _secret_service_is_open() -> bool:
    import secretstorage

    with contextlib.closing(secretstorage.dbus_init()) as connection:
        return not secretstorage.get_default_collection(connection).is_locked()
