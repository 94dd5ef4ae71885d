"""Writes streams of server-sent events for as long as their client reads them."""

from __future__ import annotations

import asyncio
from typing import Any

from ..asgi import Headers, Receive, Send, send_json
from .jsonrpc import KEEP_ALIVE, RPC, SSE_HEADERS, disconnected, event
from .messages import ClientGoneError

# Proxies close a connection on which nothing is sent for a minute or less.
KEEP_ALIVE_S = 15.0


async def next_message(messages: asyncio.Queue[RPC], gone: asyncio.Future[Any]) -> RPC | None:
    """Returns the next message, or None after KEEP_ALIVE_S seconds without one.

    Raises ClientGoneError when `gone` is done first.
    """
    if not messages.empty():
        return messages.get_nowait()
    getter = asyncio.ensure_future(messages.get())
    try:
        await asyncio.wait((getter, gone), timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not getter.done():
            getter.cancel()
    if getter.done() and not getter.cancelled():
        return getter.result()
    if gone.done():
        raise ClientGoneError
    return None


async def send_events(
    receive: Receive,
    send: Send,
    messages: asyncio.Queue[RPC],
    *,
    until_response: bool = False,
    headers: Headers | None = None,
    first: bytes = b"",
) -> None:
    """Sends `first`, then each message as an event, until the response if `until_response`, else until the client
    leaves.

    Comments keep a quiet stream open.
    """
    await send({"type": "http.response.start", "status": 200, "headers": SSE_HEADERS + (headers or [])})
    if first or not until_response:
        await send({"type": "http.response.body", "body": first or KEEP_ALIVE, "more_body": True})
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        more = True
        while more:
            message = await next_message(messages, gone)
            more = not until_response or message is None or "method" in message
            await send(
                {"type": "http.response.body", "body": event(message) if message else KEEP_ALIVE, "more_body": more}
            )
    except ClientGoneError:
        pass
    finally:
        gone.cancel()


async def send_replies(
    receive: Receive, send: Send, replies: asyncio.Queue[RPC], stream: bool, headers: Headers
) -> None:
    """Sends the replies to one request, the response last: as a stream, or the response alone as JSON."""
    if stream:
        await send_events(receive, send, replies, until_response=True, headers=headers)
        return
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        while "method" in (reply := await next_message(replies, gone) or {"method": None}):
            pass
        await send_json(send, 200, reply, headers)
    except ClientGoneError:
        pass
    finally:
        gone.cancel()
