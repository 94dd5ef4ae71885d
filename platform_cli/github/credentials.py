"""Stores this user's GitHub token in the OS keyring, else in a file with mode 0600."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

from ..errors import InputError, PlatformError
from ..home import Home, write_atomic
from ..secrets.key import usable_keyring
from .repository import SERVER_URL, GitHub

SERVICE = "homeport-github"
GH_TIMEOUT_S = 10


def keep_token(github: GitHub, token: str, home: Home) -> str:
    """Stores the token, and returns a description of the place."""
    forget_token(github, home)
    if backend := usable_keyring():
        with contextlib.suppress(Exception):
            backend.set_password(SERVICE, github.server_url, token)
            if backend.get_password(SERVICE, github.server_url) == token:
                return "the keyring"
    write_atomic(_file(home), json.dumps({**_kept(home), github.server_url: token}).encode())
    return str(_file(home))


def forget_token(github: GitHub, home: Home) -> bool:
    """Deletes the token, and returns whether there was one."""
    known = find_token(github, home) is not None
    if backend := usable_keyring():
        with contextlib.suppress(Exception):
            backend.set_password(SERVICE, github.server_url, "")
    kept = _kept(home)
    if kept.pop(github.server_url, None) is not None:
        write_atomic(_file(home), json.dumps(kept).encode())
    return known


def find_token(github: GitHub, home: Home) -> str | None:
    if token := _kept(home).get(github.server_url):
        return token
    if backend := usable_keyring():
        with contextlib.suppress(Exception):
            return backend.get_password(SERVICE, github.server_url) or None
    return None


def get_token(github: GitHub, home: Home) -> str:
    """Returns the stored token.

    Raises InputError if nobody is logged in.
    """
    token = find_token(github, home)
    if token is None:
        raise InputError(f"nobody is logged in to {github.server_url}", hint="homeport login")
    return token


def token_of_gh(github: GitHub) -> str | None:
    """Returns the token of an installed `gh` (https://cli.github.com/manual/gh_auth_token), None without one."""
    if shutil.which("gh") is None:
        return None
    host = (github.server_url or SERVER_URL).partition("//")[2]
    try:
        done = subprocess.run(
            ["gh", "auth", "token", "--hostname", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _kept(home: Home) -> dict[str, str]:
    path = _file(home)
    try:
        kept: dict[str, str] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise PlatformError(f"{path} is damaged", hint="remove it, then homeport login") from None
    return kept


def _file(home: Home) -> Path:
    return home.root / "github.json"
