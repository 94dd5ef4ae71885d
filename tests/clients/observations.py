"""Asks a deployment for the same things with every Python client, and returns what the client saw as one dictionary.

Imported by the runners beside it, each in an environment of its own: only the standard library here.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

# Far above what any step takes; it turns a hang into a failure that says which case hung.
DEADLINE_S = 60
# How long `slow` may keep its first progress to itself before that counts as "it did not arrive".
PROGRESS_DEADLINE_S = 20
STEPS = 3

OnProgress = Callable[[float], None]


class Session(Protocol):
    """Is a connected client. Answers are texts; a failed tool is a value, not an exception."""

    def about(self) -> dict[str, Any]:
        """Returns `server` and `protocol`, as far as this client tells them."""

    async def tools(self) -> list[str]: ...

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: OnProgress | None = None) -> Answer: ...

    async def prompt(self, name: str, arguments: dict[str, str]) -> str: ...

    async def read(self, uri: str) -> str: ...


Answer = dict[str, Any]
Connect = Callable[[], AbstractAsyncContextManager[Session]]


def answer(text: str, failed: bool) -> Answer:
    return {"text": text, "failed": failed}


async def observe(session: Session) -> dict[str, Any]:
    seen: dict[str, Any] = {**session.about(), "tools": sorted(await session.tools())}
    seen["add"] = await session.call("add", {"a": 2, "b": 3})
    seen["fail"] = await session.call("fail", {})
    seen |= await _slow(session)
    note = uuid.uuid4().hex
    await session.call("remember", {"text": note})
    seen["recalled"] = (await session.call("recall", {}))["text"] == note
    seen["whoami"] = (await session.call("whoami", {}))["text"]
    seen["prompt"] = await session.prompt("greet", {"name": "Ada"})
    seen["resource"] = await session.read("config://app")
    seen["item"] = await session.read("item://7")
    return seen


async def _slow(session: Session) -> dict[str, Any]:
    """Calls `slow`, which stops after its first step until `release` is called; that happens once the step was heard
    of.
    """
    token = uuid.uuid4().hex
    heard: list[float] = []
    first = asyncio.Event()

    def on_progress(progress: float) -> None:
        heard.append(progress)
        first.set()

    running = asyncio.create_task(session.call("slow", {"steps": STEPS, "token": token}, on_progress))
    try:
        await asyncio.wait_for(first.wait(), PROGRESS_DEADLINE_S)
        early = not running.done()
    except TimeoutError:
        early = False
    await session.call("release", {"token": token})
    return {"slow": await running, "progress": heard, "progress_while_running": early}


async def _one(connect: Connect) -> dict[str, Any]:
    async with connect() as session:
        return await observe(session)


def _case(connect: Connect) -> Awaitable[dict[str, Any]]:
    return asyncio.wait_for(_one(connect), DEADLINE_S)


async def _all(cases: dict[str, Connect]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for name, connect in cases.items():
        try:
            results[name] = await _case(connect)
        except Exception:
            results[name] = {"error": traceback.format_exc()}
    return results


def run(cases: Callable[[str, str], dict[str, Connect]]) -> None:
    """Runs the client's cases for each line on stdin, which has the /mcp and the /sse URL of a deployment, and prints
    one line of JSON: for each case what was seen, or its `error`.
    """
    for line in sys.stdin:
        print(json.dumps(asyncio.run(_all(cases(*line.split())))), flush=True)
