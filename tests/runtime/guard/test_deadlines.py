"""Tests how a call that takes too long is ended, apart from any server."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from homeport_runtime.asgi import ASGIApp, Message, Receive, Scope, Send
from homeport_runtime.guard.deadlines import Deadlines
from homeport_runtime.guard.streams import StreamCalls
from homeport_runtime.guard.watched import Watched

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "slow", "arguments": {}}}


class Record(Watched):
    def _write(self, status: str, _answer: object) -> None:
        """Writes nothing."""


def scope() -> Scope:
    return {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": []}


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Answers nothing."""


async def said_nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def test_an_answered_call_of_a_stream_is_not_kept_until_its_deadline() -> None:
    async def run() -> None:
        deadlines, calls = Deadlines(nothing, lambda _call: 3600.0), StreamCalls()
        record = Record()
        deadlines.begin(CALL, scope(), calls, record)
        assert record.deadline is not None
        record.finish("ok")
        assert record.deadline.cancelled()
        answered = Record()
        answered.finish("ok")
        deadlines.begin(CALL, scope(), calls, answered)
        assert answered.deadline is None

    asyncio.run(run())


@pytest.mark.parametrize("raises", [True, False])
def test_what_a_late_call_ends_with_is_nobodys(raises: bool) -> None:
    """A server may raise an error when it hears that its caller has left."""

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"
        if raises:
            raise ConnectionError("the caller has left")

    async def run(app: ASGIApp) -> tuple[list[Message], list[dict[str, Any]]]:
        unheard: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unheard.append(context))
        sent: list[Message] = []

        async def send(part: Message) -> None:
            sent.append(part)

        await Deadlines(app, lambda _call: 0.01).answer(CALL, scope(), said_nothing, send)
        gc.collect()
        return sent, unheard

    sent, unheard = asyncio.run(run(app))
    assert sent[0]["status"] == 504
    assert b"slow took longer than 0.01 s" in sent[1]["body"]
    assert unheard == []
