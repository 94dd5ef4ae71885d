"""Keeps a program running and shares it: many clients have exchanges over its one pair of streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

from ..errors import ServerError
from ..protocol.jsonrpc import HANDSHAKE_VERSIONS, METHOD_NOT_FOUND, RPC, error, failure, meta_of
from ..telemetry.error_records import report_end

# `npx -y` may have to download the program first.
HANDSHAKE_TIMEOUT_S = 120.0
LONGEST_PAUSE_S = 60.0
# The milliseconds after which a request to a program that has ended may be sent again.
FIRST_RETRY_MS = 1000
CLIENT_INFO = {"name": "homeport", "version": "1"}
# The code with which the SDKs answer a request that was cancelled.
CANCELLED = 0


class PendingRequest:
    """Is one request under way.

    `owner` is the client that made it, None for homeport itself. `replies` gets the program's messages about it, the
    response last.
    """

    def __init__(self, request: RPC, owner: str | None) -> None:
        self.id = request["id"]
        self.request = request
        self.owner = owner
        self.progress_token = meta_of(request).get("progressToken")
        self.replies: asyncio.Queue[RPC] = asyncio.Queue()

    def answer(self, message: RPC) -> None:
        self.replies.put_nowait({**message, "id": self.id})


class Child(Protocol):
    """Is one run of a program, as StdioChild describes."""

    exited: asyncio.Future[int]

    @property
    def said(self) -> Iterable[str]: ...

    def write(self, message: Mapping[str, object]) -> None: ...

    async def end(self) -> None: ...


# Starts a run that passes each of its messages to the function, and raises ServerError if it cannot be started.
StartChild = Callable[[Callable[[RPC], None]], Awaitable[Child]]


class StdioProgram:
    """Runs a program by `start`, and restarts it at the next request after it has exited; `shown` names it in messages.

    Ids and progress tokens are replaced on the way in and restored on the way out, since each client counts for itself.
    """

    def __init__(self, start: StartChild, shown: str) -> None:
        self._start, self._shown = start, shown
        self._child: Child | None = None
        self._starting = asyncio.Lock()
        self._pending: dict[int, PendingRequest] = {}
        self._last_id = 0
        # The number of consecutive runs that answered no request, and the loop time at which the next may begin.
        self._failures = 0
        self._not_before = 0.0
        # The program's InitializeResult.
        self.initialized: RPC = {}
        self._listeners: list[asyncio.Queue[RPC]] = []
        self._ended = False

    async def start(self) -> Child:
        """Returns the running program, and starts and initializes it if necessary.

        Raises ServerError if that fails, and during the back-off after several failures.
        """
        async with self._starting:
            if self._child is not None and not self._child.exited.done():
                return self._child
            if self._ended:
                raise ServerError("the program was ended with its server")
            pause = self._not_before - asyncio.get_running_loop().time()
            if pause > 0:
                raise ServerError(f"the program keeps exiting; it is started again in {pause:.0f} s")
            child = await self._start(self._receive)
            self._child = child
            child.exited.add_done_callback(self._exited)
            try:
                await self._handshake(child)
            except BaseException:
                await child.end()
                raise
            return child

    async def end(self) -> None:
        """Ends the program for good."""
        async with self._starting:
            self._ended = True
            if self._child is not None:
                await self._child.end()

    async def _handshake(self, child: Child) -> None:
        params = {"protocolVersion": HANDSHAKE_VERSIONS[-1], "capabilities": {}, "clientInfo": CLIENT_INFO}
        pending, _ = self._send(child, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}, None)
        shown = self._shown
        try:
            answer = await asyncio.wait_for(_answer(pending), HANDSHAKE_TIMEOUT_S)
        except asyncio.TimeoutError:  # noqa: UP041 - on Python 3.10 it is not the built-in one
            raise ServerError(
                f"{shown} did not answer initialize within {HANDSHAKE_TIMEOUT_S:.0f} s",
                hint="the command has to start a program that speaks MCP over stdin and stdout",
            ) from None
        result = answer.get("result")
        if not isinstance(result, dict) or result.get("protocolVersion") not in HANDSHAKE_VERSIONS:
            reason = _told(answer) or "it offered no protocol version that homeport knows"
            raise ServerError(
                f"{shown} could not be initialized: {reason}",
                hint="\n".join(child.said) or "it wrote nothing to its stderr; run it by hand to see what it does",
            )
        self.initialized = result
        child.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _send(self, child: Child, request: RPC, owner: str | None) -> tuple[PendingRequest, int]:
        self._last_id += 1
        number, pending = self._last_id, PendingRequest(request, owner)
        forwarded = {**request, "id": number}
        if pending.progress_token is not None:
            forwarded["params"] = {**request["params"], "_meta": {**meta_of(request), "progressToken": number}}
        self._pending[number] = pending
        child.write(forwarded)
        return pending, number

    @asynccontextmanager
    async def ask(self, request: RPC, owner: str) -> AsyncIterator[asyncio.Queue[RPC]]:
        """Sends `request` for the client `owner` and yields the queue of replies, of which the response, without
        `method`, is last.

        If the context is left before that, the request is cancelled. Every failure arrives as a JSON-RPC error.
        """
        try:
            child = await self.start()
        except ServerError as problem:
            failed = PendingRequest(request, owner)
            failed.answer(failure(None, "start_failed", problem.message, FIRST_RETRY_MS))
            yield failed.replies
            return
        pending, number = self._send(child, request, owner)
        try:
            yield pending.replies
        finally:
            if self._pending.pop(number, None) is not None:
                self._tell_cancelled(number, "the client closed the connection")

    def answer_at_once(self, request: RPC) -> RPC | None:
        """Returns the answer to initialize, which is known, and ping; None for requests to the program."""
        if request["method"] == "ping":
            return {"jsonrpc": "2.0", "id": request["id"], "result": {}}
        if request["method"] != "initialize":
            return None
        params = request.get("params")
        asked = params.get("protocolVersion") if isinstance(params, dict) else None
        offered = self.initialized["protocolVersion"]
        version = asked if asked in HANDSHAKE_VERSIONS and asked < offered else offered
        return {"jsonrpc": "2.0", "id": request["id"], "result": {**self.initialized, "protocolVersion": version}}

    def take_notification(self, message: RPC, owner: str) -> None:
        """Takes a client's notification or response, of which only a cancellation concerns a shared program."""
        params = message.get("params")
        if message.get("method") == "notifications/cancelled" and isinstance(params, dict):
            self._cancel(owner, params.get("requestId"), str(params.get("reason", "")))

    @contextmanager
    def listening(self, queue: asyncio.Queue[RPC]) -> Iterator[None]:
        """Passes notifications that belong to no request to `queue` for as long as the context lasts."""
        self._listeners.append(queue)
        try:
            yield
        finally:
            self._listeners.remove(queue)

    def _cancel(self, owner: str, request_id: object, reason: str) -> None:
        """Cancels the request that `owner` knows as `request_id`, unless there are two, since one may be another
        client's.
        """
        meant = [number for number, each in self._pending.items() if (each.owner, each.id) == (owner, request_id)]
        if len(meant) == 1:
            self._tell_cancelled(meant[0], reason)
            self._pending.pop(meant[0]).answer(error(None, CANCELLED, "Request cancelled"))

    def _notify(self, message: RPC) -> None:
        if self._child is not None:
            self._child.write(message)

    def _tell_cancelled(self, number: int, reason: str) -> None:
        params = {"requestId": number, "reason": reason}
        self._notify({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    def _receive(self, message: RPC) -> None:
        if "method" not in message:
            self._receive_response(message)
        elif "id" in message:
            self._answer(message)
        elif message["method"] == "notifications/progress":
            self._receive_progress(message)
        elif message["method"] == "notifications/message" and len(self._pending) == 1:
            next(iter(self._pending.values())).replies.put_nowait(message)
        elif message["method"] != "notifications/cancelled":
            for listener in self._listeners:
                listener.put_nowait(message)

    def _receive_response(self, message: RPC) -> None:
        pending = self._find(message.get("id"))
        if pending is not None:
            del self._pending[message["id"]]
            pending.answer(message)
            # An answer to initialize alone does not end a crash loop.
            if pending.owner is not None:
                self._failures = 0

    def _receive_progress(self, message: RPC) -> None:
        params: dict[str, Any] = message.get("params") or {}
        pending = self._find(params.get("progressToken"))
        if pending is not None:
            pending.replies.put_nowait({**message, "params": {**params, "progressToken": pending.progress_token}})

    def _find(self, number: object) -> PendingRequest | None:
        return self._pending.get(number) if isinstance(number, int) else None

    def _answer(self, request: RPC) -> None:
        """Answers a ping, and with an error requests that only a client could answer: sampling, elicitation, roots."""
        if request["method"] == "ping":
            self._notify({"jsonrpc": "2.0", "id": request["id"], "result": {}})
        else:
            text = f"{request['method']} is not available: the clients of a deployed program cannot be asked"
            self._notify(error(request["id"], METHOD_NOT_FOUND, text))

    def _exited(self, exited: asyncio.Future[int]) -> None:
        code = exited.result()
        how = f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
        # The first restart is immediate, the next ones are after 1, 2, 4 ... seconds, as long as no run answers
        # anything.
        pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE_S) if self._failures else 0.0
        self._failures += 1
        self._not_before = asyncio.get_running_loop().time() + pause
        retry_ms = max(int(pause * 1000), FIRST_RETRY_MS)
        waiting, self._pending = self._pending, {}
        said = self._child.said if self._child is not None else ()
        for pending in waiting.values():
            if pending.owner is not None and not self._ended:
                report_end(how, said, pending.request)
            pending.answer(failure(None, "server_ended", f"the program {how} before it answered", retry_ms))


async def _answer(pending: PendingRequest) -> RPC:
    """Returns the answer to a request, without what comes before it: a program may log as soon as it is started."""
    while "method" in (message := await pending.replies.get()):
        pass
    return message


def _told(answer: RPC) -> str | None:
    """Returns what an answer says of a failure, the program's or homeport's own, None if it is no error."""
    problem = answer.get("error", {})
    data = problem.get("data")
    detail = data.get("detail") if isinstance(data, dict) else None
    text = detail or problem.get("message")
    return text if isinstance(text, str) else None
