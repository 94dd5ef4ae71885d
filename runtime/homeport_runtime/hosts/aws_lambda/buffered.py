"""Serves the function under AWS's own Python runtime (awslambdaric): `handler` answers each event in one piece.

The function's Handler names it. Where the wrapper is not run, clients get answers nevertheless, but no streams.
"""

from __future__ import annotations

import asyncio
import base64
import os
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NoReturn

from ...app import App
from ...asgi import Headers
from ...telemetry import scrubbed
from ..start import Served
from .access import LambdaAccess
from .events import answer_fields, check_request
from .secrets import SecretsFetch
from .server import LambdaServer


class WholeAnswer:
    """Collects what a stream would send."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._body = b""

    def start(self, status: int, headers: Headers) -> None:
        self._fields = answer_fields(status, headers)

    def write(self, data: bytes) -> None:
        self._body += data

    def flush(self) -> None:
        """Does nothing, since the answer is returned as a whole."""

    def end(self) -> None:
        """Does nothing, since the answer is complete."""

    def abort(self, kind: str, message: str) -> None:
        raise RuntimeError(f"{kind}: {message}")

    def result(self) -> dict[str, Any]:
        return {**self._fields, "body": base64.b64encode(self._body).decode(), "isBase64Encoded": True}


class _Running:
    """Runs the server on an event loop in its own thread, since awslambdaric has the main thread."""

    def __init__(self) -> None:
        self.server = LambdaServer(Path(os.environ["LAMBDA_TASK_ROOT"]), LambdaAccess(), SecretsFetch())
        ready: Future[tuple[App, asyncio.AbstractEventLoop]] = Future()

        async def live(served: Served) -> None:
            app = self.server.prepare(served)
            async with self.server.serving(app):
                ready.set_result((app, asyncio.get_running_loop()))
                await asyncio.Event().wait()

        def fail(error: BaseException) -> NoReturn:
            ready.set_exception(error)
            raise SystemExit(1)

        def run() -> None:
            try:
                self.server.run(live, fail)
            except BaseException as error:
                if not ready.done():
                    ready.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        self.app, self.loop = ready.result()


def _told(error: BaseException) -> RuntimeError:
    """Returns the error as awslambdaric may log it, with the user's own frames."""
    return RuntimeError(scrubbed(f"{type(error).__name__}: {error}\n{getattr(error, 'trace', '')}".rstrip()))


try:
    _running = _Running()
except Exception as error:
    raise _told(error) from None


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one Function URL event (payload format 2.0) as a whole.

    Raises RuntimeError with what the app raised, and NotARequest for an event of another kind.
    """
    deadline_s = time.time() + context.get_remaining_time_in_millis() / 1000
    answer = WholeAnswer()
    check_request(event)
    cycle = _running.server.begin(_running.app, _running.loop, event, deadline_s)
    error = cycle.write(answer)
    if cycle.end is not None:
        # Nothing can be answered any more: this ends awslambdaric, and Lambda starts another sandbox.
        raise SystemExit("the server has ended itself")
    if error is not None:
        raise _told(error)
    return answer.result()
