"""Tests what the guard says to clients that sign in, and which of their tokens it believes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from homeport_runtime.asgi import Scope
from homeport_runtime.guard.access import Access, ClientToken
from homeport_runtime.guard.auth import Authenticator, authenticator
from homeport_runtime.guard.caller import Caller

URL = "https://notes.mcp.example.com"
ISSUER = "https://mcp.example.com"
KEY = b"k" * 32
HAND_MADE = "homeport_by_hand"
OAUTH = {
    "issuer": ISSUER,
    "urls": [URL, "http://127.0.0.1:8400"],
    "keys": {"2": KEY.hex(), "1": (b"o" * 32).hex()},
    "scopes": ["expense:read"],
    "has_scopes": True,
}


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(head: dict[str, Any] | None = None, key: bytes = KEY, **claims: Any) -> str:
    said: dict[str, Any] = {
        "iss": ISSUER,
        "aud": f"{URL}/mcp",
        "sub": "alice",
        "client_id": "claude",
        "scope": "expense:read",
    }
    said |= {"exp": int(time.time()) + 60, "jti": "grant"} | claims
    text = f"{encoded({'typ': 'at+jwt', 'alg': 'HS256', 'kid': '2', **(head or {})})}.{encoded(said)}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def request(path: str = "/mcp", token: str | None = None, host: str = "notes.mcp.example.com") -> Scope:
    headers = [(b"host", host.encode())]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode("latin-1")))
    return {"type": "http", "path": path, "headers": headers}


def guard(refused: list[str | None] | None = None, **oauth: Any) -> Authenticator:
    tokens = (ClientToken(hashlib.sha256(HAND_MADE.encode()).hexdigest()),)
    heard = refused if refused is not None else []
    found = authenticator(Access(tokens, {**OAUTH, **oauth}), heard.append)
    assert found
    return found


def challenge(scope: Scope, by: Authenticator) -> str:
    ((name, value),) = by.unauthorized(scope)
    assert name == b"www-authenticate"
    return value.decode()


def test_caller_that_has_signed_in() -> None:
    by = guard()
    for _ in range(2):
        assert by.caller(request(token=signed())) == Caller("claude", "alice", frozenset({"expense:read"}), True)
    assert by.caller(request(token=signed({"kid": "1"}, b"o" * 32))) is not None
    for aud in (URL, f"{URL}/sse", "http://127.0.0.1:8400/mcp"):
        assert by.caller(request(token=signed(aud=aud))) is not None
    everything = guard(has_scopes=False).caller(request(token=signed()))
    assert everything is not None
    assert everything.scopes is None


def test_tokens_that_were_given_by_hand_stay_good() -> None:
    found = guard().caller(request(token=HAND_MADE))
    assert found is not None
    assert not found.by_oauth


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "a.b.c",
        "é.é.é",
        signed(key=b"x" * 32),
        signed({"alg": "none"}),
        signed({"alg": "none"}).rpartition(".")[0] + ".",
        signed({"alg": "HS512"}),
        signed({"kid": "3"}),
        signed({"kid": None}),
        signed({"kid": ["2"]}),
        signed({"kid": "1"}),
        signed({"typ": "JWT"}),
        signed({"crit": ["b64"]}),
        signed(exp=int(time.time()) - 1),
        signed(exp="never"),
        signed(exp=True),
        signed(iss="https://evil.example"),
        signed(aud="https://other.mcp.example.com/mcp"),
        signed(aud=f"{URL}.evil.example/mcp"),
        signed(aud=[f"{URL}/mcp"]),
        signed(aud=None),
        signed() + "=",
        signed() + ".x",
        f"{signed()}{'x' * 9000}",
        signed()[:-2],
        f"W10.{signed().partition('.')[2]}",
    ],
)
def test_tokens_that_are_not_believed(token: str) -> None:
    by = guard()
    assert by.caller(request(token=token)) is None
    assert by.caller(request(token=signed())) is not None


def test_a_token_that_was_good_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    by, token, now = guard(), signed(), time.time()
    assert by.caller(request(token=token)) is not None
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert by.caller(request(token=token)) is None


def test_challenges() -> None:
    by = guard()
    metadata = f'resource_metadata="{URL}/.well-known/oauth-protected-resource'
    assert challenge(request(), by) == f'Bearer {metadata}/mcp", scope="expense:read"'
    for path in ("/sse", "/messages/", "/messages/?x"):
        assert f'{metadata}/sse"' in challenge(request(path), by)
    assert f'{metadata}/mcp"' in challenge(request('/"\r\nx: y'), by)
    assert challenge(request(token="x"), by).startswith('Bearer error="invalid_token", ')
    local = challenge(request(host="127.0.0.1:8400"), by)
    assert '"http://127.0.0.1:8400/.well-known/oauth-protected-resource/mcp"' in local
    assert "scope=" not in challenge(request(), guard(scopes=[]))


def test_refusal_asks_for_what_is_there_and_what_is_needed_and_is_reported() -> None:
    refused: list[str | None] = []
    by = guard(refused)
    scope = request(token=signed())
    caller = by.caller(scope)
    assert caller is not None
    ((_, value),) = asyncio.run(by.forbidden(scope, caller, ["expense:write"]))
    assert value.decode() == (
        'Bearer error="insufficient_scope", scope="expense:read expense:write", '
        f'resource_metadata="{URL}/.well-known/oauth-protected-resource/mcp"'
    )
    asyncio.run(by.forbidden(scope, caller, ["expense:write"]))
    assert refused == ["grant"], "a caller that goes on costs the control plane nothing more"


@pytest.mark.parametrize(
    ("path", "resource"),
    [("", "/mcp"), ("/", "/mcp"), ("/mcp", "/mcp"), ("/mcp/", "/mcp"), ("/sse", "/sse"), ("/api/mcp", "/api/mcp")],
)
def test_metadata(path: str, resource: str) -> None:
    assert guard().document(request(f"/.well-known/oauth-protected-resource{path}")) == {
        "resource": f"{URL}{resource}",
        "authorization_servers": [ISSUER],
        "scopes_supported": ["expense:read"],
        "bearer_methods_supported": ["header"],
    }


@pytest.mark.parametrize(
    "path", ["/mcp", "/.well-known/oauth-protected-resourceful", '/.well-known/oauth-protected-resource/"']
)
def test_other_paths_have_no_metadata(path: str) -> None:
    assert guard().document(request(path)) is None


def test_a_scope_that_no_header_can_say_is_left_out_of_the_challenge() -> None:
    """Another authorization server may call a role what it likes."""
    by, scope = guard(), request(token=signed())
    caller = Caller("claude", "alice", frozenset(("Prüfer", "審計", 'a"b', "a\\b", "a\x00b", "plain")), by_oauth=True)
    ((_, value),) = asyncio.run(by.forbidden(scope, caller, ["expense:write"]))
    assert b'scope="plain expense:write"' in value
