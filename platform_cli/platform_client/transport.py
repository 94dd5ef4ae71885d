"""Sends requests to the control plane's API, and reads its answers.

It uses http.client, since every command imports this, and importing httpx alone takes longer than the rest of an
unchanged deploy.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from ..api.failure import read_error
from ..errors import HomeportError, PlatformError
from ..home import Home, check_socket_folder
from .connections import Connector, LocalSocket, Remote


class Transport:
    """Leads to the control plane of one home, or to one at `remote`.

    An answer may take `timeout_s` seconds, any time with None.
    """

    def __init__(self, home: Home, *, timeout_s: float | None = None, remote: Remote | None = None) -> None:
        self.remote = remote
        self._home = home
        self._connector: Connector = remote or LocalSocket(home.socket)
        self._timeout_s = timeout_s
        # When it answered last, by the monotonic clock.
        self._answered_at = float("-inf")

    def _lines(self, method: str, path: str, body: object = None) -> Iterator[bytes]:
        with self._response(method, path, body) as response:
            try:
                yield from response
            except (OSError, http.client.HTTPException) as error:
                raise PlatformError("the platform ended", hint="`homeport platform start`, then again") from error

    def _request(self, method: str, path: str, body: object = None) -> Any:
        with self._response(method, path, body) as response:
            return json.loads(response.read())

    @contextmanager
    def _response(self, method: str, path: str, body: object = None) -> Iterator[http.client.HTTPResponse]:
        if self.remote is None:
            check_socket_folder(self._home)
        connection = self._connector.connection(self._timeout_s)
        try:
            try:
                payload, headers = _payload(body)
                connection.request(method, path, payload, {**self._connector.headers, **headers})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise self._connector.unreachable(error) from error
            self._answered_at = time.monotonic()
            if response.status >= 400:
                raise _error(response)
            yield response
        finally:
            connection.close()


def _error(response: http.client.HTTPResponse) -> HomeportError:
    """Returns the error that the control plane raised, in the same class."""
    try:
        error = read_error(json.loads(response.read()))
    except ValueError:
        error = None
    if error is None:
        return PlatformError(f"the platform answered with HTTP {response.status}", hint="see its log: platform.log")
    return error


def _payload(body: object) -> tuple[bytes | IO[bytes] | None, dict[str, str]]:
    """Returns the body as JSON, or an open file as it is, and its headers."""
    if hasattr(body, "fileno"):
        # A file is sent in chunks, whose end the platform has to wait for: it may answer before it has read a body of
        # known length, and Caddy then breaks off the answer.
        return cast("IO[bytes]", body), {"Content-Type": "application/zip"}
    return None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}
