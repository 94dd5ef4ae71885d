"""Passes requests to the app, and records what becomes of them: one record for each operation, and the audit log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..protocol.messages import calls_in
from ..telemetry import request_id
from ..telemetry.error_records import report
from ..telemetry.failures import note_failure
from .calls import CallRecord
from .deadlines import Deadlines
from .open_calls import OpenCalls
from .streams import StreamCalls
from .watched import Batch, Watched

if TYPE_CHECKING:
    from .audit import Audit, Audited
    from .judge import Judge
    from .operations import Operations

# The methods beside tools/call whose requests run code of the server's own, which may log something.
RUN = ("resources/read", "prompts/get", "completion/complete")


class Passing:
    """Passes on what the guard allows.

    `calls` are those whose answers come on a stream. `open_calls` is set where a supervisor watches this process, and
    `audit` where calls are audited, and `operations` where all operations have records and not tool calls alone.
    `tools` are those that the server has, None before it was asked. With `judge` calls may have deadlines.
    """

    def __init__(self, app: ASGIApp, calls: StreamCalls, judge: Judge | None) -> None:
        self._app = app
        self._calls = calls
        self._deadlines = Deadlines(app, judge.timeout_s) if judge is not None and judge.has_timeouts else None
        self.open_calls: OpenCalls | None = None
        self.audit: Audit | None = None
        self.operations: Operations | None = None
        self.tools: frozenset[str] | None = None
        self._called = False

    async def pass_on(
        self, scope: Scope, said: object, size: int, receive: Receive, send: Send, *, is_posted: bool
    ) -> None:
        """Passes on a request whose body of `size` bytes says `said`; one that `is_posted` is answered on its session's
        stream.
        """
        calls = calls_in(said)
        if not calls and (not isinstance(said, dict) or (self.audit is None and self.operations is None)):
            await self._app(scope, receive, send)
            return
        request = os.urandom(8).hex()
        if calls:
            cold, self._called = not self._called, True
            records: Sequence[Watched] = [self._call(scope, call, request, size, cold=cold) for call in calls]
        else:
            records = self._operations(scope, said, request, size) if isinstance(said, dict) else ()
        if not records:
            await self._app(scope, receive, send)
            return
        # What is noted with a session's first request would be noted with all others, too.
        is_run = bool(calls) or (isinstance(said, dict) and said.get("method") in RUN)
        token = request_id.set(request if is_run else None)
        try:
            await self._watched(scope, records, calls[0] if calls else None, receive, send, is_posted=is_posted)
        finally:
            request_id.reset(token)

    def _call(self, scope: Scope, call: Mapping[str, Any], request: str, size: int, *, cold: bool) -> Watched:
        audited = self._audited(scope, call)
        return CallRecord(scope, call, request, cold, size, self.open_calls, audited, self.tools)

    def _operations(self, scope: Scope, said: Mapping[str, Any], request: str, size: int) -> Sequence[Watched]:
        """Returns the record of a request that calls no tool, none if it is no operation."""
        audited = self._audited(scope, said)
        record: Watched | None = None
        if self.operations is not None:
            record = self.operations.operation(scope, said, request, size, self.open_calls, audited)
        if record is None and audited is not None:
            record = audited.alone(scope, said.get("id"), request, self.open_calls)
        return (record,) if record is not None else ()

    def _audited(self, scope: Scope, said: Mapping[str, Any]) -> Audited | None:
        return self.audit.operation(scope, said) if self.audit is not None else None

    async def _watched(
        self,
        scope: Scope,
        records: Sequence[Watched],
        call: Mapping[str, Any] | None,
        receive: Receive,
        send: Send,
        *,
        is_posted: bool,
    ) -> None:
        """Passes a request to the app, and finishes its `records`; only a tool's `call` has a deadline."""
        record = records[0] if len(records) == 1 else Batch(records)
        try:
            if is_posted:
                for each in records:
                    self._calls.expect(scope, each)
                await self._app(scope, receive, record.watch_refusal(send))
                if self._deadlines is not None and call is not None:
                    self._deadlines.begin(call, scope, self._calls, records[0])
                return
            if call is not None:
                send = _with_first_event(send)
            if self._deadlines is not None and call is not None:
                await self._deadlines.answer(call, scope, receive, record.watch(send))
            else:
                await self._app(scope, receive, record.watch(send))
            # The answer was not completed, because the client had left.
            record.finish("abandoned")
        except asyncio.CancelledError:
            record.finish("abandoned")
            raise
        except Exception as error:
            note_failure("exception")
            report(error, "exception", only_own=True)
            record.finish("error")
            raise


def _with_first_event(send: Send) -> Send:
    """Returns a `send` that keeps the head of an answer until the first of its body comes.

    A connection that ends without a head is an error for every client. After the head of an event stream, clients wait
    for an answer that never comes when this process dies: those of Python for ever.
    """
    held: list[Message] = []

    async def send_both(part: Message) -> None:
        if part["type"] == "http.response.start":
            held.append(part)
            return
        if held and (part.get("body") or not part.get("more_body")):
            await send(held.pop())
        if not held:
            await send(part)

    return send_both
