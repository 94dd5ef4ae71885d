"""Ends calls that take longer than [limits] allows, and the worker goes on.

The caller gets an answer, and the server hears that nobody waits for its own any more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..protocol.jsonrpc import SERVER_ERROR, encode, event
from ..protocol.probe import exchange
from .caller import RESULT
from .open_streams import receive_until
from .refusals import RETRY_MS, Refusal, send_refusal
from .shown import shown
from .streams import StreamCalls, session_of
from .watched import Watched

# The seconds in which a server that was told so has to end a call by itself.
LEAVE_S = 1.0
SESSION = b"mcp-session-id"


class Deadlines:
    """Gives the calls of an app as many seconds as `timeout_s` says of each, None for as many as they want."""

    def __init__(self, app: ASGIApp, timeout_s: Callable[[Mapping[str, Any]], float | None]) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Future[None]] = set()

    async def answer(self, call: Mapping[str, Any], scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the app answer a call over HTTP, and answers it in its place if that takes too long."""
        seconds = self._timeout_s(call)
        if seconds is None:
            await self._app(scope, receive, send)
            return
        answer, left = _Answer(send), asyncio.Event()
        work = asyncio.ensure_future(self._app(scope, partial(receive_until, left, receive), answer.send))
        try:
            await asyncio.wait({work}, timeout=seconds)
            if not work.done() and answer.can_end:
                scope[RESULT] = "timeout"
                await answer.end(scope, _late(call, seconds), call.get("id"))
                left.set()
                await self._cancel(scope, call)
                await asyncio.wait({work}, timeout=LEAVE_S)
            else:
                await work
        finally:
            if not work.done():
                work.cancel()
            # An error after the answer is nobody's any more.
            await asyncio.gather(work, return_exceptions=True)

    def begin(self, call: Mapping[str, Any], scope: Scope, calls: StreamCalls, record: Watched) -> None:
        """Notes a call of HTTP+SSE, which was posted just now, and answers it on its stream if that takes too long;
        `record` is finished when it is answered.
        """
        seconds = self._timeout_s(call)
        if seconds is not None and not record.is_finished:
            loop = asyncio.get_running_loop()
            record.deadline = loop.call_later(seconds, self._end_soon, call, scope, calls, seconds)

    def _end_soon(self, call: Mapping[str, Any], scope: Scope, calls: StreamCalls, seconds: float) -> None:
        scope[RESULT] = "timeout"
        if calls.give_up(scope, call.get("id")):
            task = asyncio.ensure_future(self._end_posted(call, scope, calls, seconds))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _end_posted(self, call: Mapping[str, Any], scope: Scope, calls: StreamCalls, seconds: float) -> None:
        answer = event(_late(call, seconds).error(call["id"]))
        await calls.say(session_of(scope["query_string"]), answer)
        await self._cancel(scope, call)

    async def _cancel(self, scope: Scope, call: Mapping[str, Any]) -> None:
        """Tells the server that a call of a session is cancelled (MCP 2025-11-25, basic/utilities/cancellation).

        Without sessions the end of its connection says so.
        """
        headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
        if not session_of(scope["query_string"]) and SESSION not in dict(headers):
            return
        params = {"requestId": call.get("id"), "reason": "it took too long"}
        body = encode({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        told = exchange(self._app, "POST", scope["path"], headers, body, scope["query_string"])
        with contextlib.suppress(Exception):
            await asyncio.wait_for(told, LEAVE_S)


class _Answer:
    """Watches how far the app's answer has come, and keeps the rest of it back after its `end`."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False
        self._is_stream = False
        self._has_ended = False

    async def send(self, part: Message) -> None:
        if self._has_ended:
            return
        if part["type"] == "http.response.start":
            self._has_begun = True
            types = [bytes(value) for name, value in part["headers"] if name.lower() == b"content-type"]
            self._is_stream = any(value.startswith(b"text/event-stream") for value in types)
        await self._send(part)

    @property
    def can_end(self) -> bool:
        """Tells whether something else can be said: in the middle of a JSON document it cannot."""
        return self._is_stream or not self._has_begun

    async def end(self, scope: Scope, refusal: Refusal, request_id: object) -> None:
        self._has_ended = True
        if self._has_begun:
            await self._send({"type": "http.response.body", "body": event(refusal.error(request_id))})
        else:
            await send_refusal(scope, self._send, refusal, request_id)


def _late(call: Mapping[str, Any], seconds: float) -> Refusal:
    return Refusal(
        504,
        "timeout",
        f"{shown(call['params']['name'])} took longer than {seconds:g} s",
        SERVER_ERROR,
        "Server error",
        retryable=True,
        retry_after_ms=RETRY_MS,
    )
