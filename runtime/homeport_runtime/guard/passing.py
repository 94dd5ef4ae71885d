"""Passes requests to the app, and records what becomes of them: one record for each tools/call, and the audit log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..asgi import ASGIApp, Receive, Scope, Send
from ..protocol.messages import calls_in
from ..telemetry import request_id
from .calls import BatchRecords, CallRecord, Watched
from .deadlines import Deadlines
from .open_calls import OpenCalls
from .streams import StreamCalls

if TYPE_CHECKING:
    from .audit import Audit
    from .judge import Judge


class Passing:
    """Passes on what the guard allows.

    `calls` are those whose answers come on a stream. `open_calls` is set where a supervisor watches this process, and
    `audit` where calls are audited. With `judge` calls may have deadlines.
    """

    def __init__(self, app: ASGIApp, calls: StreamCalls, judge: Judge | None) -> None:
        self._app = app
        self._calls = calls
        self._deadlines = Deadlines(app, judge.timeout_s) if judge is not None else None
        self.open_calls: OpenCalls | None = None
        self.audit: Audit | None = None
        self._called = False

    async def pass_on(self, scope: Scope, said: object, receive: Receive, send: Send, *, is_posted: bool) -> None:
        """Passes on a request whose body says `said`; one that `is_posted` is answered on its session's stream."""
        request = os.urandom(8).hex() if self.audit is not None else ""
        if calls := calls_in(said):
            request = request or os.urandom(8).hex()
            cold, self._called = not self._called, True
            records: Sequence[Watched] = [
                CallRecord(scope, call, request, cold, self.open_calls, self._operation(scope, call, request))
                for call in calls
            ]
        else:
            operation = self._operation(scope, said, request) if isinstance(said, dict) else None
            records = [operation] if operation is not None else []
        if not records:
            await self._app(scope, receive, send)
            return
        token = request_id.set(request)
        try:
            await self._watched(scope, records, calls[0] if calls else None, receive, send, is_posted=is_posted)
        finally:
            request_id.reset(token)

    def _operation(self, scope: Scope, said: Mapping[str, Any], request: str) -> Watched | None:
        return self.audit.operation(scope, said, request, self.open_calls) if self.audit is not None else None

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
        record = records[0] if len(records) == 1 else BatchRecords(records)
        try:
            if is_posted:
                for each in records:
                    self._calls.expect(scope, each)
                await self._app(scope, receive, record.watch_refusal(send))
                if self._deadlines is not None and call is not None:
                    self._deadlines.begin(call, scope, self._calls, records[0])
                return
            if self._deadlines is not None and call is not None:
                await self._deadlines.answer(call, scope, receive, record.watch(send))
            else:
                await self._app(scope, receive, record.watch(send))
            # The answer was not completed, because the client had left.
            record.finish("abandoned")
        except asyncio.CancelledError:
            record.finish("abandoned")
            raise
        except Exception:
            record.finish("error")
            raise
