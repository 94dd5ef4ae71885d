"""Tests that the bearer token ends at the guard: whoever runs behind it, server or app, never sees it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from homeport_runtime.asgi import Headers, Receive, Scope, Send, header, send_json
from homeport_runtime.guard.access import Access
from homeport_runtime.guard.auth import no_authorization
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names
from homeport_runtime.protocol.probe import call_app

TOKEN = "homeport_the-token"
OWN: Headers = [(b"host", b"localhost"), (b"accept", b"application/json"), (b"x-own", b"1")]
PING = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}'


def ask(method: str, path: str, authorization: str, token_hash: str | None) -> tuple[int, list[Scope]]:
    """Returns the status, and what the server behind the guard was asked."""
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send_json(send, 200, {})

    guard: Any = Guard(app, Names(()), Access.of_hashes(token_hash))
    headers = [*OWN, (b"authorization", authorization.encode())]
    answer = asyncio.run(call_app(guard, method, path, headers, PING if method == "POST" else b""))
    return answer[0], seen


@pytest.mark.parametrize(("method", "path"), [("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/sse"), ("GET", "/admin")])
def test_the_server_does_not_see_the_token_and_sees_everything_else(method: str, path: str) -> None:
    status, (scope,) = ask(method, path, f"Bearer {TOKEN}", hashlib.sha256(TOKEN.encode()).hexdigest())
    assert status == 200
    assert TOKEN not in str(scope)
    assert [header(scope, name) for name, _ in OWN] == [value.decode() for _, value in OWN]


def test_a_server_without_a_token_of_homeports_sees_what_its_callers_send() -> None:
    _, (scope,) = ask("POST", "/mcp", "Bearer its-own", None)
    assert header(scope, b"authorization") == "Bearer its-own"


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"])
def test_whoever_has_another_one_does_not_reach_the_server(given: str) -> None:
    known = hashlib.sha256(b"another").hexdigest(), hashlib.sha256(TOKEN.encode()).hexdigest()
    assert ask("POST", "/mcp", given, ",".join(known)) == (401, [])
    status, seen = ask("POST", "/mcp", f"bearer {TOKEN}", ",".join(known))
    assert (status, len(seen)) == (200, 1)


@pytest.mark.parametrize("more", [[], [(b"accept", b"a"), (b"accept", b"b")], [(b"authorization", b"Basic other")]])
def test_no_token_is_left_however_many_there_are(more: Headers) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer x"), *more, (b"x-authorization", b"y")]
    assert no_authorization(headers) == [field for field in headers if field[0] != b"authorization"]
    assert len(headers) == 3 + len(more), "those of the request itself stay"
