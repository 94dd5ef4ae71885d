"""Tests origins that the app's own CORS or the configuration lets in, and the way out for those that it does not."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from homeport_runtime.asgi import Receive, Scope, Send, send_json
from homeport_runtime.guard.access import Access
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names
from homeport_runtime.protocol.probe import call_app

CHAT, DESK = "https://chat.example.com", "app://desk"


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


Reply = tuple[int, dict[str, str], bytes]
ROUTES = [Route("/mcp", hello, methods=["GET", "POST"])]


def guarded(*, own: bool, foreign: tuple[str, ...] = (), token: str | None = None) -> Guard:
    cors = [Middleware(CORSMiddleware, allow_origins=[CHAT], allow_methods=["POST"], allow_headers=["x-key"])]
    names = Names([])
    names.let_in(foreign)
    return Guard(Starlette(routes=ROUTES, middleware=cors if own else []), names, Access.of_hashes(token))


def ask(guard: Guard, method: str, origin: str, host: str = "localhost", **headers: str) -> Reply:
    sent = {"host": host, "origin": origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
    fields = [(name.encode(), value.encode()) for name, value in sent.items()]
    return asyncio.run(call_app(guard, method, "/mcp", fields, b""))


def preflight(guard: Guard, origin: str, host: str = "localhost") -> Reply:
    asked = {"access_control_request_method": "POST", "access_control_request_headers": "x-key"}
    return ask(guard, "OPTIONS", origin, host, **asked)


def test_the_apps_own_cors_is_asked() -> None:
    guard = guarded(own=True)
    status, headers, _ = preflight(guard, CHAT)
    assert (status, headers["access-control-allow-origin"]) == (200, CHAT)
    status, headers, body = ask(guard, "POST", CHAT)
    assert (status, headers["access-control-allow-origin"], body) == (200, CHAT, b"hello")


def test_what_neither_allows_is_refused() -> None:
    for guard in (guarded(own=True), guarded(own=False)):
        assert ask(guard, "POST", "https://evil.example")[0] == 403
        assert "access-control-allow-origin" not in preflight(guard, "https://evil.example")[1]


def test_another_host_is_refused_whatever_the_origin() -> None:
    guard = guarded(own=True)
    assert ask(guard, "POST", CHAT, "evil.example")[0] == 421
    assert preflight(guard, CHAT, "evil.example")[0] == 421


def test_a_browser_hears_that_a_configured_origin_may_call() -> None:
    guard = guarded(own=False, foreign=(DESK,), token="0" * 64)
    status, headers, body = preflight(guard, DESK)
    assert (status, headers["access-control-allow-origin"], body) == (204, DESK, b"")
    assert headers["access-control-allow-headers"] == "x-key"
    status, headers, _ = ask(guard, "POST", DESK)
    assert (status, headers["access-control-allow-origin"]) == (401, DESK), "a page may read why it is refused"


def test_a_preflight_is_no_way_past_the_token() -> None:
    seen: list[bytes] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["body"])
        await send_json(send, 200, {})

    guard = Guard(app, Names([]), Access.of_hashes("0" * 64))
    headers = [(b"host", b"localhost"), (b"origin", DESK.encode()), (b"access-control-request-method", b"POST")]
    statuses = [asyncio.run(call_app(guard, "OPTIONS", path, headers, b"a call"))[0] for path in ("/run", "/mcp")]
    assert (statuses, seen) == ([403, 200], [b""])
    own = [(b"host", b"localhost"), (b"origin", b"http://localhost"), headers[2]]
    assert asyncio.run(call_app(guard, "OPTIONS", "/run", own, b""))[0] == 401


def test_the_apps_own_word_is_not_repeated() -> None:
    _, headers, body = ask(guarded(own=True, foreign=(CHAT,)), "POST", CHAT)
    assert (headers["access-control-allow-origin"], body) == (CHAT, b"hello")


def test_a_refusal_says_the_way_out_and_the_log_says_it_once(capfd: pytest.CaptureFixture[str]) -> None:
    guard = guarded(own=False)
    for _ in range(2):
        _, _, body = ask(guard, "POST", DESK)
        assert 'add "app://desk" to origins under [domains]' in json.loads(body)["error"]["data"]["detail"]
        _, _, body = ask(guard, "POST", CHAT, "raspberrypi:8080")
        assert 'add "raspberrypi" to names under [domains]' in json.loads(body)["error"]["data"]["detail"]
    logged = [line for line in capfd.readouterr().out.split("\n") if "[domains]" in line]
    assert len(logged) == 2


def test_nobody_fills_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    guard = guarded(own=False)
    for number in range(200):
        ask(guard, "POST", DESK, f"host-{number}")
    assert capfd.readouterr().out.count("[domains]") <= 50
