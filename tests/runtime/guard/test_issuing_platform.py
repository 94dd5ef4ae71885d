"""Tests what a platform elsewhere hears of calls that lacked a scope, and whom the guard does not believe any more."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from homeport_runtime.asgi import Scope
from homeport_runtime.guard import issuing_platform
from homeport_runtime.guard.access import Access
from homeport_runtime.guard.auth import Authenticator, authenticator
from tests.http_servers import serving
from tests.signin.identity import Identity, running_identity

URL = "https://notes.example.com"


class Heard:
    """Is a platform that answers with `status`, after `released`."""

    def __init__(self) -> None:
        self.status = 204
        self.tokens: list[str] = []
        self.released = threading.Event()
        self.released.set()
        heard = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.tokens.append(f"{self.path} {self.headers['authorization']}")
                heard.released.wait(60)
                self.send_response(heard.status)
                self.send_header("content-length", "0")
                self.end_headers()

        self.handler = Handler
        self.url = ""


@pytest.fixture
def heard() -> Iterator[Heard]:
    running = Heard()
    with serving(running.handler) as running.url:
        yield running
        running.released.set()


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    with running_identity() as running:
        yield running


def guard(identity: Identity, issuer: str, **oauth: Any) -> Authenticator:
    said = {"issuer": issuer, "urls": [URL], "audience": [], "scope_claim": "scope", "scopes": [], "has_scopes": True}
    found = authenticator(Access((), {**said, "jwks": identity.keys, "is_platform": True, **oauth}))
    assert found is not None
    return found


def request(token: str) -> Scope:
    return {"type": "http", "path": "/mcp", "headers": [(b"authorization", f"Bearer {token}".encode())]}


def refuse(by: Authenticator, token: str) -> None:
    async def refused() -> None:
        scope = request(token)
        caller = by.caller(scope)
        assert caller is not None
        ((_, value),) = await by.forbidden(scope, caller, ["write"])
        assert b"insufficient_scope" in value

    asyncio.run(refused())


def test_the_platform_has_heard_when_the_client_is_answered(heard: Heard, identity: Identity) -> None:
    by = guard(identity, heard.url)
    token = identity.token(URL, iss=heard.url, jti="grant")
    for _ in range(3):
        refuse(by, token)
    assert heard.tokens == [f"/refused Bearer {token}"], "and not of each of many"
    another = identity.token(URL, iss=heard.url, jti="other")
    heard.status = 401
    refuse(by, another)
    refuse(by, identity.token(URL, iss=heard.url, jti="third"))
    assert len(heard.tokens) == 3, "what it does not take is no outage"


def test_somebody_elses_issuer_never_gets_a_token(heard: Heard, identity: Identity) -> None:
    refuse(guard(identity, heard.url, is_platform=False), identity.token(URL, iss=heard.url, jti="grant"))
    assert heard.tokens == []


def test_a_platform_that_is_away_or_slow_keeps_nobody(
    heard: Heard, identity: Identity, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    away = "http://127.0.0.1:1"
    refuse(guard(identity, away), identity.token(URL, iss=away, jti="grant"))
    assert "does not hear" in capfd.readouterr().out
    monkeypatch.setattr(issuing_platform, "WAIT_S", 0.05)
    heard.released.clear()
    by = guard(identity, heard.url)
    releasing = threading.Timer(0.5, heard.released.set)
    releasing.start()
    for jti in ("grant", "other"):
        refuse(by, identity.token(URL, iss=heard.url, jti=jti))
    releasing.join()
    assert len(heard.tokens) == 1, "it is left alone for a minute"


def test_a_sign_in_that_has_ended_is_not_believed(identity: Identity) -> None:
    ended = identity.token(URL, jti="ended")
    going_on = identity.token(URL, jti="going on")

    def believed(by: Authenticator, token: str) -> bool:
        return by.caller(request(token)) is not None

    before = guard(identity, identity.url)
    assert (believed(before, ended), believed(before, going_on)) == (True, True)
    told = guard(identity, identity.url, ended=["ended"])
    assert (believed(told, ended), believed(told, going_on)) == (False, True)
    others = guard(identity, identity.url, ended=["ended", ""], is_platform=False)
    assert believed(others, ended), "what others call `ended` is not known"


def test_a_function_asks_for_tokens_of_more_than_a_minute(identity: Identity) -> None:
    asked: list[float] = []

    def ended(issued_at: float, wait_s: float = 1.0) -> list[str]:
        asked.append(issued_at)
        return ["ended"] if wait_s else []

    by = guard(identity, identity.url)
    assert by.caller(request(identity.token(URL, jti="ended"))) is not None
    oauth = {"issuer": identity.url, "urls": [URL], "audience": [], "scope_claim": "scope", "scopes": []}
    access = Access((), {**oauth, "has_scopes": True, "jwks": identity.keys, "is_platform": True}, ended=ended)
    by_function = authenticator(access)
    assert by_function is not None
    issued_at = int(time.time()) - 100
    for _ in range(2):
        assert by_function.caller(request(identity.token(URL, jti="ended", iat=issued_at))) is None
    assert asked == [issued_at] * 2, "also for a token that is remembered"
