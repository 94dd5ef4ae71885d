"""Keeps stateful sessions beyond their worker: a session id stays valid after a redeploy or a restart.

Each session's initialize is saved in a file. A worker that gets an id it does not know initializes its server with the
saved message and continues under the old id; the client notices nothing, but the server's own memory of the session is
gone. The same happens to the least used sessions when more are open than a worker has memory for.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ..asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header
from .messages import MESSAGE
from .probe import call_app

SESSION_HEADER = b"mcp-session-id"
# The seconds after which an unused session is forgotten: a day.
KEEP_S = 86400.0
# The most sessions that are open at a time; the SDKs need some 45 KB for each.
MOST_OPEN = 2000
# The interval, in seconds, in which the file of a session in use is marked as used.
TOUCH_S = 3600.0
# Headers that belong to one request, not to the client.
_REQUEST_HEADERS = frozenset((SESSION_HEADER, b"content-length", b"accept", b"last-event-id", b"mcp-protocol-version"))


@dataclass
class OpenSession:
    """Is a session that the server in this process knows as `inner`.

    `headers` are its client's own, as they last were; `requests` is how many are being answered; `touched` is when its
    file was last marked as used.
    """

    inner: str
    headers: Headers
    requests: int = 0
    touched: float = -TOUCH_S


class SessionKeeper:
    """Is ASGI middleware at /mcp for a server with sessions; `folder` holds one file per session, mode 0600."""

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self._app = app
        self._saved = SavedSessions(folder)
        # Sessions by the id that the client knows, the one used last at the end.
        self._open: dict[str, OpenSession] = {}
        self._restoring: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/mcp":
            await self._app(scope, receive, send)
            return
        session = header(scope, SESSION_HEADER)
        if session is None:
            await self._app(scope, receive, self._watch_opening(scope, send))
        elif opened := self._open.get(session) or await self._restore(session, scope):
            await self._go_on(session, opened, scope, receive, send)
        else:
            # The server itself answers that it does not know the session.
            await self._app(scope, receive, send)
        await self._close_unused()

    async def _go_on(self, session: str, opened: OpenSession, scope: Scope, receive: Receive, send: Send) -> None:
        self._open[session] = self._open.pop(session, opened)
        opened.headers = _client_headers(scope)
        opened.requests += 1
        try:
            if time.monotonic() - opened.touched > TOUCH_S:
                opened.touched = time.monotonic()
                self._saved.touch(session)
            ended = scope["method"] == "DELETE"
            watched = self._watch_answer(session, opened.inner, ended, send)
            await self._app(_with_session(scope, opened.inner), receive, watched)
        finally:
            opened.requests -= 1

    def _watch_opening(self, scope: Scope, send: Send) -> Send:
        """Saves the initialize that opened a session."""
        message = scope.get(MESSAGE)
        if message is None or message.get("method") != "initialize":
            return send

        async def watched(part: Message) -> None:
            if part["type"] == "http.response.start" and part["status"] == 200:
                session = _session_of(part["headers"])
                if session is not None:
                    self._open[session] = OpenSession(session, _client_headers(scope))
                    self._saved.save(session, message)
            await send(part)

        return watched

    def _watch_answer(self, session: str, inner: str, ended: bool, send: Send) -> Send:
        async def watched(part: Message) -> None:
            if part["type"] == "http.response.start":
                if ended and part["status"] < 300:
                    self._open.pop(session, None)
                    self._saved.forget(session)
                elif part["status"] == 404:
                    # The server has ended the session by itself; the next request restores it from its file.
                    self._open.pop(session, None)
                part = {**part, "headers": _replace(part["headers"], inner, session)}
            await send(part)

        return watched

    async def _restore(self, session: str, scope: Scope) -> OpenSession | None:
        """Returns a session that another worker opened; None if nothing was saved."""
        lock = self._restoring.setdefault(session, asyncio.Lock())
        async with lock:
            if session in self._open:
                return self._open[session]
            message = self._saved.load(session)
            if message is None:
                return None
            headers = _client_headers(scope)
            inner = await self._initialize(headers, message)
            if inner is None:
                return None
            opened = self._open[session] = OpenSession(inner, headers)
            return opened

    async def _close_unused(self) -> None:
        """Ends the least used sessions beyond MOST_OPEN; they are restored when their clients come back."""
        while len(self._open) > MOST_OPEN:
            unused = next((session for session, opened in self._open.items() if not opened.requests), None)
            if unused is None:
                return
            opened = self._open.pop(unused)
            known = (SESSION_HEADER, opened.inner.encode())
            # The client that has just been answered must not get this session's errors.
            with contextlib.suppress(Exception):
                await call_app(self._app, "DELETE", "/mcp", [*opened.headers, known], b"")

    async def _initialize(self, headers: Headers, message: dict[str, Any]) -> str | None:
        accept = (b"accept", b"application/json, text/event-stream")
        headers = [*(pair for pair in headers if pair[0] != b"content-type"), (b"content-type", b"application/json")]
        status, answer, _body = await call_app(
            self._app, "POST", "/mcp", [*headers, accept], json.dumps(message).encode()
        )
        inner = answer.get(SESSION_HEADER.decode())
        if status != 200 or inner is None:
            return None
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        known = (SESSION_HEADER, inner.encode())
        await call_app(self._app, "POST", "/mcp", [*headers, accept, known], json.dumps(initialized).encode())
        return inner


class SavedSessions:
    """Saves the initialize message of each session in a file named by the hash of its id, since the id itself gives
    access.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # On a full disk sessions work, but do not outlive their worker.
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in folder.glob("*.json"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > KEEP_S:
                    file.unlink()

    def save(self, session: str, message: dict[str, Any]) -> None:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
        except OSError:
            return
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(message, file)
            Path(name).replace(self._file(session))
        except OSError:
            Path(name).unlink(missing_ok=True)

    def load(self, session: str) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = json.loads(self._file(session).read_bytes())
        except (OSError, ValueError):
            return None
        return message

    def touch(self, session: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self._file(session))

    def forget(self, session: str) -> None:
        self._file(session).unlink(missing_ok=True)

    def _file(self, session: str) -> Path:
        return self._folder / f"{hashlib.sha256(session.encode()).hexdigest()}.json"


def _session_of(headers: Headers) -> str | None:
    return next((bytes(value).decode("latin-1") for name, value in headers if name.lower() == SESSION_HEADER), None)


def _client_headers(scope: Scope) -> Headers:
    return [(name, value) for name, value in scope["headers"] if name not in _REQUEST_HEADERS]


def _with_session(scope: Scope, session: str) -> Scope:
    headers = [(name, session.encode() if name == SESSION_HEADER else value) for name, value in scope["headers"]]
    return {**scope, "headers": headers}


def _replace(headers: Headers, inner: str, outer: str) -> Headers:
    return [
        (name, outer.encode() if name.lower() == SESSION_HEADER and value == inner.encode() else value)
        for name, value in headers
    ]
