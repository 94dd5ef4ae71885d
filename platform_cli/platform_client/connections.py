"""Connects to a control plane: over the Unix socket of this machine's, or with HTTP and a token to one elsewhere."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from ..addresses import is_readable_on_the_way, read_http_url
from ..errors import InputError, PlatformError
from ..home import Home, write_atomic

TOKEN_VARIABLE = "HOMEPORT_TOKEN"  # noqa: S105 - its name


class Connector(Protocol):
    """Opens connections; `headers` are sent with every request, `unreachable` returns the error if there
    is no answer.
    """

    @property
    def headers(self) -> Mapping[str, str]: ...

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection: ...

    def unreachable(self, reason: Exception) -> PlatformError: ...


@dataclass(frozen=True, slots=True)
class LocalSocket:
    path: Path
    headers: Mapping[str, str] = field(default_factory=dict)

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        return _UnixConnection(self.path, timeout_s)

    def unreachable(self, reason: Exception) -> PlatformError:
        if isinstance(reason, ConnectionResetError | BrokenPipeError):
            return PlatformError("the platform ended before it had answered", hint="it is started again: try once more")
        return PlatformError("the platform does not answer", hint="start it with `homeport platform start`")


@dataclass(frozen=True, slots=True)
class Remote:
    """Is a platform elsewhere; `url` has only scheme, host and port, and `token` does not appear in a repr."""

    url: str
    token: str = field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def connection(self, timeout_s: float | None) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout_s, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        if host.endswith(".localhost"):
            # These names are loopback, even if the resolver does not know that (RFC 6761, section 6.3).
            connection._create_connection = _to_loopback  # type: ignore[attr-defined]
        return connection

    def unreachable(self, reason: Exception) -> PlatformError:
        # Without the error's number, which tells nobody anything.
        text = getattr(reason, "strerror", None) or reason
        return PlatformError(f"the platform at {self.url} cannot be reached: {text}", hint="check the address")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _to_loopback(address: tuple[str, int], *rest: object) -> socket.socket:
    return socket.create_connection(("127.0.0.1", address[1]), *rest)  # type: ignore[arg-type]


def check_url(text: str) -> str:
    """Returns the platform's address without a path.

    Raises InputError if it is malformed, or would send a token unencrypted to another machine.
    """
    parts = read_http_url(text)
    if parts is None or parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise InputError(f"{text!r} is not the address of a platform", hint="for example https://mcp.example.com")
    if is_readable_on_the_way(parts):
        raise InputError(
            f"{text} would send the token readable for everyone on the way", hint=f"use https://{parts.netloc}"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def find_remote(text: str, home: Home) -> Remote:
    """Returns the platform at `text` with the token from HOMEPORT_TOKEN, else the one that `login` stored.

    Raises InputError for a bad address, and if there is no token.
    """
    url = check_url(text)
    token = os.environ.get(TOKEN_VARIABLE) or _kept(home).get(url)
    if not token:
        raise InputError(
            f"there is no token for {url}", hint=f"set {TOKEN_VARIABLE}, or run `homeport platform login {url}`"
        )
    return Remote(url, check_token(token))


def check_token(token: str) -> str:
    """Returns the token if a header can carry it.

    Raises InputError otherwise, without the token in its message.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError("this is not a token", hint="`homeport platform token create NAME` prints one")
    return token


def keep_token(url: str, token: str, home: Home) -> None:
    """Stores the token of the platform or the project at `url` for later commands, readable for this user only."""
    write_atomic(_file(home), json.dumps({**_kept(home), url: token}).encode())


def kept_token(url: str, home: Home) -> str | None:
    """Returns the stored token for `url`, of which only scheme and host matter; None if there is none."""
    parts = urlsplit(url)
    return _kept(home).get(f"{parts.scheme}://{parts.netloc}")


def _kept(home: Home) -> dict[str, str]:
    try:
        kept: dict[str, str] = json.loads(_file(home).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return kept


def _file(home: Home) -> Path:
    return home.root / "credentials.json"
