"""Holds the open GET streams, which a worker ends when it stops, so that their clients reconnect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..asgi import ASGIApp, Message, Receive, Scope, Send

# Tells the client to reconnect after so many milliseconds
# (https://html.spec.whatwg.org/multipage/server-sent-events.html, "retry").
RECONNECT_HINT = b"retry: 500\r\n\r\n"


class OpenStreams:
    def __init__(self) -> None:
        self._streams: set[Stream] = set()

    @property
    def are_open(self) -> bool:
        return bool(self._streams)

    async def hold(self, app: ASGIApp, scope: Scope, stream: Stream) -> None:
        self._streams.add(stream)
        try:
            await app(scope, stream.receive, stream.send)
        finally:
            self._streams.discard(stream)

    async def end_at_rest(self, since: float) -> None:
        """Ends the streams that nothing was said on since a time, and has each other one end with its next answer.

        Just then its client does not post. Between two calls that follow each other one may be on its way already,
        whose answer would find no stream.
        """
        for stream in list(self._streams):
            stream.ends_with_answer = True
            if not stream.is_busy() and stream.used_at < since:
                await stream.end()

    async def end_quiet(self) -> None:
        """Ends the streams on which nobody waits for an answer."""
        for stream in list(self._streams):
            if not stream.is_busy():
                await stream.end()


class Stream:
    """Is one stream; while `is_busy` a client waits for an answer on it. `used_at` is when something was last said on
    it, by the monotonic clock.
    """

    def __init__(self, receive: Receive, send: Send, is_busy: Callable[[], bool] = lambda: False) -> None:
        self.is_busy = is_busy
        self.ends_with_answer = False
        self.used_at = time.monotonic()
        self._receive = receive
        self._send = send
        self._flowing = False
        self._ended = asyncio.Event()

    async def receive(self) -> Message:
        """Returns the client's next message, or a disconnect once the stream was ended."""
        return await receive_until(self._ended, self._receive)

    async def send(self, message: Message) -> None:
        if self._ended.is_set():
            return
        if message["type"] == "http.response.start":
            types = [bytes(value) for name, value in message["headers"] if name.lower() == b"content-type"]
            self._flowing = any(value.startswith(b"text/event-stream") for value in types)
        self.used_at = time.monotonic()
        await self._send(message)

    def ending(self, answer: Message) -> Message:
        """Returns an answer as it is to be sent: with the stream's end, if it ends with that and nobody waits for more.

        A client that gets the end a moment later has posted its next message in between.
        """
        if not self.ends_with_answer or self.is_busy() or not self._flowing or self._ended.is_set():
            return answer
        self._ended.set()
        return {**answer, "body": answer.get("body", b"") + RECONNECT_HINT, "more_body": False}

    def leave(self) -> None:
        """Tells the app, but not the client, that the stream has ended, since another worker continues it."""
        self._ended.set()

    async def end(self) -> None:
        if self._flowing and not self._ended.is_set():
            self._ended.set()
            await self._send({"type": "http.response.body", "body": RECONNECT_HINT, "more_body": False})


async def receive_until(left: asyncio.Event, receive: Receive) -> Message:
    """Returns the client's next message, or that the client has left once `left` is set."""
    incoming, ended = asyncio.ensure_future(receive()), asyncio.ensure_future(left.wait())
    try:
        await asyncio.wait((incoming, ended), return_when=asyncio.FIRST_COMPLETED)
        return incoming.result() if incoming.done() else {"type": "http.disconnect"}
    finally:
        incoming.cancel()
        ended.cancel()
