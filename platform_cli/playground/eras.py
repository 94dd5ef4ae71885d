"""Speaks both eras of MCP: in a session, which begins with initialize, and in requests that stand alone.

2025-11-25: https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle
2026-07-28: basic/versioning, server/discover, basic/transports/streamable-http, and SEP-2322 on requests whose server
needs more input
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
import time
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

import httpx

from homeport_runtime.guard.calls import CLIENT_INFO
from homeport_runtime.protocol.jsonrpc import HANDSHAKE_VERSIONS, METHOD_NOT_FOUND, error
from homeport_runtime.protocol.modern_request import CAPABILITIES_KEY, LOG_LEVEL_KEY, MODERN_VERSIONS, VERSION_KEY

from .. import __version__
from ..api.try_event import TryEvent
from ..clients.exact import write_value
from ..errors import ServerError
from .wire import Answer, Message, TooLargeError, Wire, decode

CLIENT = {"name": "homeport console", "version": __version__}
CAPABILITIES: Mapping[str, Any] = {"elicitation": {"form": {}, "url": {}}}
MODERN, LEGACY = MODERN_VERSIONS[-1], HANDSHAKE_VERSIONS[-1]
# How often a server may ask for more input within one request, as in the SDKs.
MAX_ROUNDS = 10
# The requests that a server of the handshake era may send on the stream of one answer.
MAX_ASKED = 100
# The seconds between retries of a request whose server has asked for nothing but that, and for ending a session.
RETRY_S, END_S = 0.25, 5.0
# The parameter of a request that a header repeats.
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Talk(Protocol):
    """Tells the person what happens, and asks in a server's name."""

    def emit(self, event: TryEvent) -> None: ...

    def ask(self, params: Mapping[str, Any]) -> Awaitable[Message]:
        """Returns the person's reply to an elicitation, an ElicitResult."""
        ...


async def is_modern(wire: Wire) -> bool:
    """Tells whether a server speaks 2026-07-28, in the way in which the SDKs find out."""
    _, found = await wire.last(*alone(0, "server/discover", {}))
    result = found.get("result") if found else None
    versions = result.get("supportedVersions") if isinstance(result, dict) else None
    return isinstance(versions, list) and MODERN in versions


async def ask_alone(wire: Wire, method: str, params: Mapping[str, Any], talk: Talk) -> None:
    """Sends a request of 2026-07-28, again with the person's replies for as long as the server needs more input."""
    more: Message = {}
    for number in range(1, MAX_ROUNDS + 1):
        request, headers = alone(number, method, {**params, **more})
        response = await _told(wire, request, headers, talk)
        result = response.get("result") if response else None
        if not isinstance(result, dict) or result.get("resultType") != "input_required":
            return
        wanted = _object(result.get("inputRequests") or {}, "what the server asks for")
        more = {"requestState": result["requestState"]} if "requestState" in result else {}
        if wanted:
            more["inputResponses"] = {key: await _input(each, talk) for key, each in wanted.items()}
        else:
            await asyncio.sleep(RETRY_S)
    raise ServerError(f"the server has asked for more input {MAX_ROUNDS} times")


async def ask_in_session(wire: Wire, method: str, params: Mapping[str, Any], talk: Talk) -> None:
    """Sends a request of the handshake era, in a session of its own, and answers what the server asks meanwhile."""
    start = {"protocolVersion": LEGACY, "capabilities": CAPABILITIES, "clientInfo": CLIENT}
    answer, found = await wire.last(_request(0, "initialize", start), {})
    result = found.get("result") if found else None
    if not isinstance(result, dict):
        # What refuses the handshake is the answer: a 401, or a server that fails.
        talk.emit(_answered(answer, write_value(found) if found else "", time.perf_counter()))
        return
    version, session = result.get("protocolVersion"), answer.header("mcp-session-id")
    headers = {"MCP-Protocol-Version": version if version in HANDSHAKE_VERSIONS else LEGACY}
    # A session's name is visible ASCII (basic/transports, "Session Management").
    if session and session.isascii():
        headers["Mcp-Session-Id"] = session
    await wire.last({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
    meta = {**_meta(params), "progressToken": 1}
    response = None
    try:
        response = await _told(wire, _request(1, method, {**params, "_meta": meta}), headers, talk)
    finally:
        if session:
            with contextlib.suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(END_S):
                    if response is None:
                        cancelled = {"method": "notifications/cancelled", "params": {"requestId": 1}}
                        await wire.last({"jsonrpc": "2.0", **cancelled}, headers)
                    await wire.end_session(headers)


async def _told(wire: Wire, request: Message, headers: Mapping[str, str], talk: Talk) -> Message | None:
    """Sends a request, tells everything that comes for it, and returns the response, None if there is none."""
    body = write_value(request)
    talk.emit({"event": "request", "url": wire.url, "headers": wire.headers_of(headers), "body": body})
    started = time.perf_counter()
    replies: set[asyncio.Task[None]] = set()
    last, is_complete = "", True
    async with wire.post(request, headers) as answer:
        try:
            async for text in answer.messages:
                message = decode(text)
                if message is None or "method" not in message:
                    last = text
                elif "id" in message:
                    if len(replies) == MAX_ASKED:
                        raise ServerError(f"the server has asked the client for more than {MAX_ASKED} things")
                    replies.add(asyncio.create_task(_reply(wire, message, headers, talk)))
                else:
                    _notified(message, talk)
        except TooLargeError as error:
            last, is_complete = error.beginning, False
        finally:
            for task in replies:
                task.cancel()
            # A reply that the server did not take is no failure of the request.
            await asyncio.gather(*replies, return_exceptions=True)
    talk.emit(_answered(answer, last, started, is_complete=is_complete))
    return decode(last)


async def _reply(wire: Wire, asked: Message, headers: Mapping[str, str], talk: Talk) -> None:
    """Answers a request of the server, which the handshake era sends on the stream of an answer."""
    if asked["method"] == "elicitation/create":
        params = asked.get("params")
        reply = {
            "jsonrpc": "2.0",
            "id": asked["id"],
            "result": await talk.ask(params if isinstance(params, Mapping) else {}),
        }
    elif asked["method"] == "ping":
        reply = {"jsonrpc": "2.0", "id": asked["id"], "result": {}}
    else:
        reply = error(asked["id"], METHOD_NOT_FOUND, f"the console does not know {asked['method']}")
    await wire.last(reply, headers)


async def _input(wanted: object, talk: Talk) -> Message:
    """Returns the reply to one of the input requests of 2026-07-28. Raises ServerError for what nobody can reply to."""
    method = wanted.get("method") if isinstance(wanted, dict) else None
    if not isinstance(wanted, dict) or method != "elicitation/create":
        raise ServerError(f"the server asks the client for {method}, which the console cannot do")
    return await talk.ask(_object(wanted.get("params") or {}, "what the server asks"))


def _object(value: object, what: str) -> Mapping[str, Any]:
    """Returns a value that has to be an object. Raises ServerError for any other."""
    if not isinstance(value, Mapping):
        raise ServerError(f"{what} is not an object, as the protocol wants it")
    return value


def _notified(message: Message, talk: Talk) -> None:
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    if message["method"] == "notifications/progress":
        done, total, text = _number(params.get("progress")), _number(params.get("total")), params.get("message")
        told = None if text is None else str(text)
        talk.emit({"event": "progress", "progress": done or 0.0, "total": total, "message": told})
    elif message["method"] == "notifications/message":
        data = params.get("data")
        # fastmcp wraps its text.
        data = data.get("msg", data) if isinstance(data, dict) else data
        text = data if isinstance(data, str) else write_value(data)
        talk.emit({"event": "log", "level": str(params.get("level")), "text": text})


def _number(value: object) -> float | None:
    """Returns a number that JSON can hold, None for any other value."""
    return value if isinstance(value, int | float) and abs(value) <= sys.float_info.max else None


def _answered(answer: Answer, body: str, started: float, *, is_complete: bool = True) -> TryEvent:
    ms = round((time.perf_counter() - started) * 1000, 1)
    return {
        "event": "answer",
        "status": answer.status,
        "headers": answer.headers,
        "body": body,
        "is_complete": is_complete,
        "ms": ms,
    }


def alone(number: int, method: str, params: Mapping[str, Any]) -> tuple[Message, dict[str, str]]:
    """Returns a request of 2026-07-28 with the headers that have to agree with it."""
    meta = {
        **_meta(params),
        "progressToken": number,
        VERSION_KEY: MODERN,
        CLIENT_INFO: CLIENT,
        CAPABILITIES_KEY: CAPABILITIES,
        LOG_LEVEL_KEY: "debug",
    }
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    if isinstance(name := params.get(_NAMED_BY.get(method, "")), str):
        headers["Mcp-Name"] = _header_value(name)
    return _request(number, method, {**params, "_meta": meta}), headers


def _meta(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(params.get("_meta") or {}, "_meta")


def _request(number: int, method: str, params: Mapping[str, Any]) -> Message:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": dict(params)}


def _header_value(text: str) -> str:
    """Returns a text as a header can carry it (2026-07-28, basic/transports/streamable-http, "Value Encoding")."""
    if text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?"):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode()}?="
