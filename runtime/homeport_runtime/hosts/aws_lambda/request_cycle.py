"""Passes one request to the app on its event loop, while its answer is sent piece by piece from another thread."""

from __future__ import annotations

import asyncio
import queue
import time
from typing import Any, Protocol

from ...asgi import ASGIApp, Headers, Message, Scope
from ...guard.open_streams import RECONNECT_HINT
from ...protocol.jsonrpc import encode, failure
from ...protocol.messages import MESSAGE
from ...servers.exits import EndedItself
from .errors import tell
from .events import EMPTY, NO_BODY
from .front import for_front

# The last part of the time limit, in which an incomplete answer is ended in a form that clients understand: at most so
# many seconds, and at most this part of the time that is left.
MARGIN_S = 3.0
MARGIN_PART = 0.1
# The part of that time which an app has to end its stream.
ENDING_PART = 1 / 3
# An open stream (GET) is billed by the second, so it ends after so many seconds, and the client reconnects.
MAX_STREAM_S = 300.0
# The seconds after which a quiet event stream gets a comment, so that no proxy closes it.
KEEP_ALIVE_S = 15.0
# Small pieces can be held back until the next one (node RIC #102, hono #1678), so a comment is sent after them.
PUSH_S = 0.05
KEEP_ALIVE = b": keep-alive\n\n"
PUSH = b":\n\n"
# The number of unsent pieces from which the app has to wait.
MAX_WAITING = 64


class Answer(Protocol):
    """Receives an answer: its start, its pieces, then its end or its abort. Pieces may be buffered until `flush`."""

    def start(self, status: int, headers: Headers) -> None: ...

    def write(self, data: bytes) -> None: ...

    def flush(self) -> None: ...

    def end(self) -> None: ...

    def abort(self, kind: str, message: str) -> None: ...


class RequestCycle:
    """Is one request with its answer: `run` is called on the event loop, `write` in the thread of the Runtime API."""

    def __init__(self, scope: Scope, body: bytes, deadline_s: float) -> None:
        self._scope = scope
        self._body: bytes | None = body
        self._deadline_s = deadline_s
        if scope["method"] == "GET":
            self._deadline_s = min(deadline_s, time.time() + MAX_STREAM_S)
        # The start of the answer, the pieces of its body, None at its end, or the app's error.
        self._parts: queue.Queue[Message | bytes | BaseException | None] = queue.Queue()
        # The reason for which the event loop has ended, after which nothing can be served here.
        self.end: BaseException | None = None
        self._gone = asyncio.Event()
        self._streams = False

    async def run(self, app: ASGIApp) -> None:
        left = max(self._deadline_s - time.time(), 0)
        margin = min(MARGIN_S, left * MARGIN_PART)
        timer = asyncio.get_running_loop().call_later(left - margin, self._expire, margin * ENDING_PART)
        try:
            await app(self._scope, self._receive, self._send)
        except (SystemExit, KeyboardInterrupt) as stop:
            # The app has raised it, so it is this request's error and no other's.
            self._parts.put(EndedItself(stop))
        except asyncio.CancelledError as end:
            # Only the end of the loop cancels requests.
            self.end = end
            self._parts.put(RuntimeError("the server has ended itself"))
        except Exception as error:
            if not self._gone.is_set():
                self._parts.put(error)
        finally:
            timer.cancel()
            self._parts.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        # Lambda does not tell when a client leaves (node RIC #145), so that is only assumed once the time is over.
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            self._parts.put(dict(message))
            self._streams = _is_event_stream(message)
        elif message.get("body"):
            self._parts.put(bytes(message["body"]))
            while self._parts.qsize() > MAX_WAITING:
                await asyncio.sleep(0.005)

    def _expire(self, ending_s: float) -> None:
        """Tells the client of a stream to reconnect, and the client of a call that there is no answer.

        The app of a stream has `ending_s` seconds to end it.
        """
        call = self._scope.get(MESSAGE)
        if isinstance(call, dict) and "id" in call:
            text = "the function's time limit came before the answer; see timeout_s under [deployment.lambda]"
            self._last_words(encode(failure(call["id"], "timeout", text)))
        elif self._streams:
            self._parts.put(RECONNECT_HINT)
        self._gone.set()
        # The sandbox is frozen at the end of its answer, so a stream gets time before that to clean up.
        asyncio.get_running_loop().call_later(ending_s if self._streams and not call else 0, self._parts.put, None)

    def _last_words(self, error: bytes) -> None:
        if self._streams:
            self._parts.put(b"event: message\r\ndata: %b\r\n\r\n" % error)
        else:
            headers = [(b"content-type", b"application/json")]
            self._parts.put({"type": "http.response.start", "status": 200, "headers": headers})
            self._parts.put(error)

    def write(self, answer: Answer) -> BaseException | None:
        """Sends the answer as it comes, and returns the app's error if it came before any answer, so that nothing was
        sent. An answer that the end of the event loop breaks off is left for the caller to abort.
        """
        start = self._parts.get()
        if isinstance(start, BaseException):
            return start
        if not isinstance(start, dict):
            return RuntimeError("the app gave no answer")
        answer.start(*for_front(self._scope, start["status"], start["headers"]))
        sent = False
        pause = KEEP_ALIVE_S
        while True:
            # Pieces that are ready are sent together, which saves a call for each.
            if self._parts.empty():
                answer.flush()
            try:
                part = self._parts.get(timeout=pause if self._streams else None)
            except queue.Empty:
                answer.write(PUSH if pause == PUSH_S else KEEP_ALIVE)
                pause = KEEP_ALIVE_S
                continue
            if isinstance(part, bytes):
                answer.write(part)
                sent, pause = True, PUSH_S
            elif isinstance(part, BaseException):
                if self.end is None:
                    told = tell(part)
                    answer.abort(told.kind, told.message)
                return None
            else:
                if not sent and start["status"] not in NO_BODY:
                    answer.write(EMPTY)
                answer.end()
                return None


def _is_event_stream(start: Any) -> bool:
    types = [bytes(value) for name, value in start["headers"] if bytes(name).lower() == b"content-type"]
    return any(value.startswith(b"text/event-stream") for value in types)
