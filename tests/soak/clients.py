"""Clients that are not ours, raw httpx and the mcp SDK's: each calls `add` over one transport while it is open.

A client asks in one way and gives what the server answered. None says that the server had ended the stream before
anything was asked on it, as a worker does that goes: the client connects again, and no request is lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.shared._httpx_utils import create_mcp_http_client

ANSWER_S = 60.0
VERSION = "2025-06-18"
ACCEPT = {"Accept": "application/json, text/event-stream"}

Ask = Callable[[int, int], Awaitable[str | None]]
Opened = Callable[[str], AbstractAsyncContextManager[Ask]]


class RefusedError(Exception):
    """Says that the server answered with an HTTP error."""


@asynccontextmanager
async def keep_alive(url: str) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(timeout=ANSWER_S) as client:

        async def ask(a: int, b: int) -> str:
            return _text(await _post(client, url, _call(a, b)))

        yield ask


@asynccontextmanager
async def new_connections(url: str) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(timeout=ANSWER_S, limits=httpx.Limits(max_keepalive_connections=0)) as client:

        async def ask(a: int, b: int) -> str:
            return _text(await _post(client, url, _call(a, b)))

        yield ask


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(timeout=ANSWER_S, headers={"MCP-Protocol-Version": VERSION}) as client:
        answer = _accepted(await client.post(f"{url}/mcp", json=_initialize(), headers=ACCEPT))
        client.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        _accepted(await client.post(f"{url}/mcp", json=INITIALIZED, headers=ACCEPT))

        async def ask(a: int, b: int) -> str:
            return _text(await _post(client, url, _call(a, b)))

        yield ask


@asynccontextmanager
async def sse(url: str) -> AsyncIterator[Ask]:
    timeout = httpx.Timeout(ANSWER_S, read=None)
    async with (
        httpx.AsyncClient(base_url=url, timeout=timeout) as client,
        client.stream("GET", "/sse") as stream,
    ):
        _accepted(stream)
        said: asyncio.Queue[str] = asyncio.Queue()
        reading = asyncio.create_task(_read(stream, said))

        async def post(message: Mapping[str, Any]) -> None:
            _accepted(await client.post(endpoint, json=message))

        async def answer() -> Any:
            waiting = asyncio.ensure_future(said.get())
            await asyncio.wait((waiting, reading), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return json.loads(waiting.result())
            waiting.cancel()
            raise EOFError("the stream ended before the answer" if reading.done() else "no answer on the stream")

        async def ask(a: int, b: int) -> str | None:
            if reading.done():
                return None
            await post(_call(a, b))
            return _text(await answer())

        try:
            endpoint = await asyncio.wait_for(said.get(), ANSWER_S)
            await post(_initialize())
            await answer()
            await post(INITIALIZED)
            yield ask
        finally:
            reading.cancel()


def sdk(mode: str) -> Opened:
    """Connects the SDK's client to /mcp: with a session in the mode `legacy`, without one in that of a
    later version.
    """

    @asynccontextmanager
    async def opened(url: str) -> AsyncIterator[Ask]:
        async with Client(f"{url}/mcp", mode=mode, read_timeout_seconds=ANSWER_S) as client:

            async def ask(a: int, b: int) -> str:
                return await _called(client, a, b)

            yield ask

    return opened


@asynccontextmanager
async def sdk_sse(url: str) -> AsyncIterator[Ask]:
    posted = 0

    async def count(request: httpx2.Request) -> None:
        nonlocal posted
        posted += request.method == "POST"

    def counting(*arguments: Any, **options: Any) -> httpx2.AsyncClient:
        client: httpx2.AsyncClient = create_mcp_http_client(*arguments, **options)
        client.event_hooks = {"request": [count]}
        return client

    transport = sse_client(f"{url}/sse", timeout=ANSWER_S, httpx_client_factory=counting)
    async with Client(transport, mode="legacy", read_timeout_seconds=ANSWER_S) as client:

        async def ask(a: int, b: int) -> str | None:
            before = posted
            try:
                return await _called(client, a, b)
            except Exception:
                # It knows of the stream's end, and posts nothing.
                if posted == before:
                    return None
                raise

        yield ask


# The kinds of clients whose session is in one worker, and ends with it.
SESSION_IN_WORKER = ("/sse (httpx)", "/sse (mcp SDK)")
STATELESS: Mapping[str, Opened] = {
    "/mcp, keep-alive (httpx)": keep_alive,
    "/mcp, new connections (httpx)": new_connections,
    "/mcp, 2026-07-28 (mcp SDK)": sdk("2026-07-28"),
    "/sse (httpx)": sse,
    "/sse (mcp SDK)": sdk_sse,
}
SESSIONS: Mapping[str, Opened] = {
    "/mcp, session (httpx)": session,
    "/mcp, session (mcp SDK)": sdk("legacy"),
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def _initialize() -> dict[str, Any]:
    who = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": who}


def _call(a: int, b: int) -> dict[str, Any]:
    params = {"name": "add", "arguments": {"a": a, "b": b}}
    return {"jsonrpc": "2.0", "id": b, "method": "tools/call", "params": params}


async def _post(client: httpx.AsyncClient, url: str, message: Mapping[str, Any]) -> Any:
    answer = _accepted(await client.post(f"{url}/mcp", json=message, headers=ACCEPT))
    events = [line[5:] for line in answer.text.splitlines() if line.startswith("data:")]
    return json.loads(events[-1] if events else answer.text)


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise RefusedError(f"{answer.request.method} {answer.request.url.path}: HTTP {answer.status_code}")
    return answer


async def _read(stream: httpx.Response, said: asyncio.Queue[str]) -> None:
    async for line in stream.aiter_lines():
        if line.startswith("data:"):
            said.put_nowait(line[5:].strip())


async def _called(client: Client, a: int, b: int) -> str:
    result = await client.call_tool("add", {"a": a, "b": b})
    return str(result.content[0].text)  # type: ignore[union-attr]


def _text(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])
