"""Runs one request on one server, tells everything that happens, and takes the person's replies meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Literal

import httpx

from ..api.failure import failure_of
from ..api.try_event import TryEvent, TryFailed
from ..errors import HomeportError, NotFoundError, ServerError
from .eras import CLIENT, ask_alone, ask_in_session, is_modern
from .wire import Message, TooLargeError, Wire

# The seconds that a server may take, without those in which it waits for the person, and how long it does that.
ANSWER_S, PERSON_S = 60.0, 600.0

Action = Literal["accept", "decline", "cancel"]


class Exchange:
    """Is one request on its way; `id` cannot be guessed."""

    def __init__(self) -> None:
        self.id = secrets.token_urlsafe(16)
        self._events: asyncio.Queue[TryEvent | None] = asyncio.Queue()
        self._asked: dict[str, asyncio.Future[Message]] = {}
        self._deadline = asyncio.timeout(None)
        self._limit_s = ANSWER_S

    async def run(
        self, url: str, headers: Mapping[str, str], method: str, params: Mapping[str, Any], *, has_sessions: bool
    ) -> AsyncIterator[TryEvent]:
        """Yields what happens, the last event being an answer or an error; whoever stops listening ends the request.

        Servers with sessions are spoken to in the older era, in which they can ask back.
        """
        self.emit({"event": "start", "id": self.id})
        task = asyncio.create_task(self._work(url, headers, method, params, has_sessions))
        try:
            while (event := await self._events.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})

    def reply(self, asked: str, action: Action, content: Mapping[str, Any] | None) -> None:
        """Gives the server the person's reply. Raises NotFoundError if nothing waits for it."""
        waiting = self._asked.get(asked)
        if waiting is None or waiting.done():
            raise NotFoundError("the server does not wait for this any more", hint="send the request again")
        waiting.set_result({"action": action, **({"content": dict(content or {})} if action == "accept" else {})})

    def emit(self, event: TryEvent) -> None:
        self._events.put_nowait(event)

    async def ask(self, params: Mapping[str, Any]) -> Message:
        asked = secrets.token_urlsafe(16)
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[asked] = waiting
        schema, url = params.get("requestedSchema"), params.get("url")
        self.emit(
            {
                "event": "elicitation",
                "id": asked,
                "message": str(params.get("message", "")),
                "schema": schema if isinstance(schema, Mapping) else None,
                "url": url if isinstance(url, str) else None,
            }
        )
        self._wait_at_most(PERSON_S)
        try:
            reply = await waiting
        finally:
            del self._asked[asked]
        if not self._asked:
            self._wait_at_most(ANSWER_S)
        return reply

    def _wait_at_most(self, seconds: float) -> None:
        self._limit_s = seconds
        with suppress(RuntimeError):  # the time is over already
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _work(
        self, url: str, headers: Mapping[str, str], method: str, params: Mapping[str, Any], has_sessions: bool
    ) -> None:
        agent = f"{CLIENT['name']}/{CLIENT['version']}"
        wire = Wire(url, {"User-Agent": agent, **headers})
        try:
            async with self._deadline:
                self._wait_at_most(ANSWER_S)
                stands_alone = not has_sessions and await is_modern(wire)
                await (ask_alone if stands_alone else ask_in_session)(wire, method, params, self)
        except TimeoutError:
            self.emit(_failed(_late(self._limit_s)))
        except httpx.HTTPError as failure:
            detail = str(failure) or type(failure).__name__
            self.emit(_failed(ServerError(f"the server cannot be reached: {detail}", hint="its log may say why")))
        except TooLargeError:
            self.emit(_failed(ServerError("the server answers the handshake with more than the protocol has")))
        except HomeportError as failure:
            self.emit(_failed(failure))
        finally:
            await wire.close()
            self._events.put_nowait(None)


def _late(limit_s: float) -> ServerError:
    if limit_s == PERSON_S:
        return ServerError(f"nobody has replied to the server within {PERSON_S / 60:g} minutes")
    return ServerError(f"the server has not answered within {limit_s:g} s", hint="`homeport call` waits on")


def _failed(error: HomeportError) -> TryFailed:
    return {"event": "error", **failure_of(error)}
