"""Tests that what is refused is not offered, however the server writes its answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from homeport_runtime.asgi import ASGIApp, Headers, Receive, Scope, Send, send_json
from homeport_runtime.protocol.jsonrpc import SSE_HEADERS, event
from homeport_runtime.protocol.messages import MESSAGE
from homeport_runtime.protocol.probe import exchange
from homeport_runtime.protocol.subscriptions import NoSubscriptions

JSON = dict[str, Any]

OFFERED = {
    "tools": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True, "other": 1},
    "prompts": {},
    "experimental": {"listChanged": {"is": "somebody's own"}},
}
LEFT = {"tools": {}, "resources": {"other": 1}, "prompts": {}, "experimental": OFFERED["experimental"]}
ANSWER = {"jsonrpc": "2.0", "id": 7, "result": {"ttlMs": 0, "capabilities": OFFERED}}
OWN: Headers = [(b"x-own", b"1")]


def say(message: object, status: int = 200) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send_json(send, status, message, OWN)

    return app


async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [*SSE_HEADERS, *OWN]})
    await send({"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True})
    await send({"type": "http.response.body", "body": event(ANSWER)})


def asked(app: ASGIApp, method: str) -> tuple[int, dict[bytes, bytes], JSON]:
    """Status, headers and body of the answer."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        scope[MESSAGE] = {"jsonrpc": "2.0", "id": 7, "method": method}
        await NoSubscriptions(app)(scope, receive, send)

    status, headers, body = asyncio.run(exchange(guarded, "POST", "/mcp", [], b""))
    assert dict(headers)[b"content-length"] == str(len(body)).encode()
    return status, dict(headers), json.loads(body)


def test_who_wants_to_listen_is_refused() -> None:
    status, _, answer = asked(say(ANSWER), "subscriptions/listen")
    assert (status, answer["id"], answer["error"]["code"]) == (404, 7, -32601)


@pytest.mark.parametrize("app", [say(ANSWER), stream], ids=["json", "stream"])
def test_no_server_offers_it(app: ASGIApp) -> None:
    status, headers, answer = asked(app, "server/discover")
    assert answer == {**ANSWER, "result": {"ttlMs": 0, "capabilities": LEFT}}
    assert (status, headers[b"content-type"], headers[b"x-own"]) == (200, b"application/json", b"1")


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, {"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": "no"}}), (401, "who are you?")],
)
def test_a_refusal_stays_what_it_is(status: int, message: object) -> None:
    said, headers, answer = asked(say(message, status), "server/discover")
    assert (said, answer, headers[b"x-own"]) == (status, message, b"1")


def test_other_answers_are_left_alone() -> None:
    assert asked(say(ANSWER), "initialize")[2] == ANSWER
