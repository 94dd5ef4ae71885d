"""Tests what a worker keeps of sessions: of the unknown nothing, of the known a bounded number."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest

from homeport_runtime.asgi import Receive, Scope, Send, header
from homeport_runtime.protocol import sessions as module
from homeport_runtime.protocol.messages import MESSAGE
from homeport_runtime.protocol.probe import call_app
from homeport_runtime.protocol.sessions import KEEP_S, SESSION_HEADER, TOUCH_S, SessionKeeper

INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}


class Server:
    """Is a server with sessions: each initialize opens another one."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self._made = 0

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        session, status = header(scope, SESSION_HEADER), 200
        if session is None:
            self._made += 1
            session = f"s{self._made}"
            self.open.add(session)
        elif session not in self.open:
            status = 404
        elif scope["method"] == "DELETE":
            self.open.discard(session)
        headers = [(SESSION_HEADER, session.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class Client:
    def __init__(self, folder: Path) -> None:
        self.server = Server()
        self.keeper = SessionKeeper(self.server, folder)

    async def open(self) -> str:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.keeper({**scope, MESSAGE: INITIALIZE}, receive, send)

        _status, headers, _body = await call_app(app, "POST", "/mcp", [], b"{}")
        return headers["mcp-session-id"]

    async def ask(self, session: str) -> int:
        known = (SESSION_HEADER, session.encode())
        return (await call_app(self.keeper, "POST", "/mcp", [known], b"{}"))[0]


def run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def test_nothing_is_kept_of_ids_that_nobody_opened(tmp_path: Path) -> None:
    client = Client(tmp_path)

    async def work() -> None:
        for number in range(100):
            assert await client.ask(f"unknown-{number}") == 404
        assert not client.keeper._open
        assert not client.keeper._restoring

    run(work())


def test_beyond_the_bound_the_least_used_ends_and_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OPEN", 3)
    client = Client(tmp_path)

    async def work() -> None:
        first, second, *_ = [await client.open() for _ in range(3)]
        assert await client.ask(first) == 200
        await client.open()
        assert second not in client.server.open
        assert first in client.server.open
        assert len(client.server.open) == 3
        assert await client.ask(second) == 200, "under its old id"
        assert len(client.server.open) == 3

    run(work())


def test_a_session_whose_start_cannot_be_kept_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    client = Client(tmp_path / "file" / "folder")

    async def work() -> None:
        assert await client.ask(await client.open()) == 200

    run(work())


def test_a_session_goes_on_in_the_next_worker_until_nobody_has_used_it_for_a_day(tmp_path: Path) -> None:
    first = Client(tmp_path)

    async def work() -> None:
        kept, forgotten = await first.open(), await first.open()
        now = time.time()
        for session, age in ((kept, KEEP_S - 60), (forgotten, KEEP_S + 60)):
            os.utime(first.keeper._saved._file(session), (now - age, now - age))
        second = Client(tmp_path)
        assert [await second.ask(session) for session in (kept, forgotten)] == [200, 404]
        # It was used: the next worker knows it for another day.
        assert first.keeper._saved._file(kept).stat().st_mtime > now - TOUCH_S
        assert len(list(tmp_path.iterdir())) == 1

    run(work())
