"""Tests in which parts a call's answer leaves the guard."""

from __future__ import annotations

import asyncio
import json

from homeport_runtime.asgi import Message, Receive, Scope, Send
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names

from ..conftest import call

STREAM = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
EVENT = {"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True}


def test_the_head_of_a_stream_goes_with_its_first_event() -> None:
    """A worker that dies before has said nothing then, which is an error for every client."""

    async def work() -> None:
        sent: list[Message] = []
        works, goes_on = asyncio.Event(), asyncio.Event()

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(STREAM)
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            works.set()
            await goes_on.wait()
            await send(EVENT)
            await send({"type": "http.response.body", "body": b""})

        async def receive() -> Message:
            return {"type": "http.request", "body": json.dumps(call("add")).encode()}

        async def send(part: Message) -> None:
            sent.append(part)

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope: Scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": headers}
        answering = asyncio.create_task(Guard(app, Names(()))(scope, receive, send))
        await works.wait()
        assert sent == []
        goes_on.set()
        await answering
        assert [part["type"] for part in sent] == ["http.response.start", *["http.response.body"] * 2]
        assert sent[1]["body"] == EVENT["body"]

    asyncio.run(work())
