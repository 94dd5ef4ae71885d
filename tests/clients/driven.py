"""Has a Python client do one thing after another, and says what became of each: for what ends sessions and lets calls
wait.

Each line on stdin is an order as JSON, and each is answered by a line on stdout. Imported by the programs beside it,
each in an environment of its own: only the standard library here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from .observations import Session

    Connect = Callable[[str, dict[str, str]], AbstractAsyncContextManager[Session]]

# Far above what any call takes here; what is not answered by then is not answered at all.
HANG_S = 30

Orders = asyncio.Queue[dict[str, Any]]


def drive(connect: Connect) -> None:
    """Does what stdin says: `connect` to a URL with headers, `call` a tool with arguments, and `close`.

    A call is answered by its `text`, by the `code` and `data` of its error, by the `message` of another error, by
    `dead` if it has ended the session, or by `hang`.
    """
    asyncio.run(_drive(connect))


async def _drive(connect: Connect) -> None:
    orders: Orders = asyncio.Queue()
    reading = asyncio.create_task(_read(orders))
    while (order := await orders.get()) and "end" not in order:
        if "connect" in order:
            await _session(connect, order, orders)
        else:
            _say({"dead": "it is not connected"})
    await reading


async def _read(orders: Orders) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        await orders.put(json.loads(line))
    await orders.put({"end": True})


async def _session(connect: Connect, order: dict[str, Any], orders: Orders) -> None:
    is_asked = True
    try:
        async with connect(order["connect"], order["headers"]) as session:
            _say({"connected": True})
            is_asked = False
            while "call" in (order := await orders.get()):
                is_asked = True
                _say(await _call(session, order))
                is_asked = False
        _say({"closed": True})
    except BaseException as error:
        # A client of mcp 1 cancels its caller when its connection fails.
        if is_asked or "close" in order:
            _say({"dead": repr(error)})


async def _call(session: Session, order: dict[str, Any]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(HANG_S):
            return {"text": (await session.call(order["call"], order["arguments"]))["text"]}
    except TimeoutError:
        return {"hang": True}
    except Exception as raised:
        error = getattr(raised, "error", None)
        if error is None:
            return {"message": f"{type(raised).__name__}: {raised}"}
        return {"code": error.code, "data": error.data, "message": error.message}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
