"""Tests codes, refresh tokens and keys: what is used once, what is stolen, and what ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from homeport_runtime.guard.own_tokens import OwnTokens
from platform_cli.signin import grants
from platform_cli.signin.grants import GRACE_S
from platform_cli.signin.key_numbers import ROTATE_S
from platform_cli.signin.keys import HEARD_S
from platform_cli.signin.server import AuthorizationServer

from .conftest import ISSUER, NOTES, Browser, Known, exchange, query_of
from .test_pages import code_on
from .test_server import claims_of

SignIn = Callable[..., dict[str, Any]]


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)


@pytest.fixture
def refresh(browser: Browser, client_id: str) -> Callable[..., httpx2.Response]:
    def asked(token: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token}
        return browser.http.post("/token", data=form | changes)

    return asked


Refresh = Callable[..., httpx2.Response]


def accepted(server: AuthorizationServer, token: str, project: str = "notes") -> bool:
    keys = {name: bytes.fromhex(key) for name, key in server.keys.accepted(project).items()}
    return OwnTokens(ISSUER, NOTES.urls, keys).read(token) is not None


def test_refresh_tokens_rotate_and_keep_their_scopes(sign_in: SignIn, refresh: Refresh) -> None:
    first = sign_in(scope="notes:read notes:write")
    second = refresh(first["refresh_token"])
    assert second.json()["scope"] == "notes:read notes:write"
    assert second.json()["refresh_token"] != first["refresh_token"]
    narrowed = refresh(second.json()["refresh_token"], scope="notes:read").json()
    assert claims_of(narrowed["access_token"])["scope"] == "notes:read"
    assert refresh(narrowed["refresh_token"]).json()["scope"] == "notes:read notes:write"
    assert refresh(narrowed["refresh_token"], scope="notes:admin").json()["error"] == "invalid_scope"
    assert refresh(narrowed["refresh_token"], resource="http://127.0.0.1:8401/mcp").json()["error"] == "invalid_target"


def test_old_refresh_token_ends_the_family_but_for_a_moment(
    sign_in: SignIn, refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sign_in()["refresh_token"]
    second = refresh(first).json()["refresh_token"]
    # Two processes of one client may refresh side by side.
    third = refresh(first)
    assert third.status_code == 200
    later(monkeypatch, GRACE_S + 1)
    assert refresh(first).json()["error"] == "invalid_grant"
    for token in (second, third.json()["refresh_token"]):
        assert refresh(token).json()["error"] == "invalid_grant"


def test_client_that_refreshes_in_a_loop_does_not_fill_the_disk(
    server: AuthorizationServer, sign_in: SignIn, refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "MOST_TOKENS", 3)
    tokens = [sign_in()["refresh_token"]]
    for _ in range(6):
        tokens.append(refresh(tokens[-1]).json()["refresh_token"])
    known = [server.grants.grant_of(token) is not None for token in tokens]
    assert known == [False] * 4 + [True] * 3
    assert refresh(tokens[0]).json()["error"] == "invalid_grant"
    assert refresh(tokens[-1]).status_code == 200


def test_refresh_that_asks_for_too_much_leaves_the_token_as_it_was(
    sign_in: SignIn, refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sign_in()["refresh_token"]
    assert refresh(token, scope="notes:admin").json()["error"] == "invalid_scope"
    later(monkeypatch, GRACE_S + 1)
    assert refresh(token).status_code == 200


def test_refresh_token_of_another_client_is_worth_nothing(sign_in: SignIn, refresh: Refresh, browser: Browser) -> None:
    token = sign_in()["refresh_token"]
    other = browser.http.post("/register", json={"client_name": "x", "redirect_uris": ["https://x.example/"]}).json()
    assert refresh(token, client_id=other["client_id"]).json()["error"] == "invalid_grant"
    assert refresh(token).status_code == 200


def test_revocation_ends_the_family(sign_in: SignIn, refresh: Refresh, browser: Browser, client_id: str) -> None:
    token = sign_in()["refresh_token"]
    assert browser.http.post("/revoke", data={"client_id": client_id, "token": "unknown"}).status_code == 200
    assert browser.http.post("/revoke", data={"client_id": client_id, "token": token}).status_code == 200
    assert refresh(token).json()["error"] == "invalid_grant"


def test_first_refresh_after_a_refused_call_sends_the_user_again(
    server: AuthorizationServer, sign_in: SignIn, refresh: Refresh
) -> None:
    tokens = sign_in()
    grant = str(claims_of(tokens["access_token"])["jti"])
    server.grants.refused(grant, "plain")
    tokens = refresh(tokens["refresh_token"]).json()
    server.grants.refused(grant, "notes")
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "w" * 43}, {"code_verifier": "short"}, {"redirect_uri": "http://localhost:3118/other"}],
)
def test_code_that_was_intercepted(
    server: AuthorizationServer, browser: Browser, client_id: str, changes: dict[str, str]
) -> None:
    url = browser.answer(browser.authorize(client_id=client_id)).headers["location"]
    server.approve(code_on(browser, url))
    code = query_of(browser.http.get(url))["code"]
    assert exchange(browser, client_id, code, **changes).json()["error"] == "invalid_grant"


def test_late_code(
    server: AuthorizationServer, browser: Browser, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = browser.answer(browser.authorize(client_id=client_id)).headers["location"]
    server.approve(code_on(browser, url))
    code = query_of(browser.http.get(url))["code"]
    later(monkeypatch, 61)
    assert exchange(browser, client_id, code).json()["error"] == "invalid_grant"


def test_keys_rotate_and_old_tokens_live_their_hour(
    server: AuthorizationServer, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(server.keys.accepted("notes")) == 1
    assert not server.keys.rotate_old("notes")
    later(monkeypatch, ROTATE_S + 1)
    token = sign_in()["access_token"]
    assert server.keys.rotate_old("notes")
    assert len(server.keys.accepted("notes")) == 2
    assert accepted(server, token)
    assert not accepted(server, token, "plain")
    old, new = server.keys.signing("notes").key_id, max(server.keys.accepted("notes"))
    assert old != new, "workers may not have heard of the new key yet"
    later(monkeypatch, HEARD_S + 1)
    assert server.keys.signing("notes").key_id == new
    later(monkeypatch, 3600)
    assert len(server.keys.accepted("notes")) == 1


def test_new_key_ends_all_access_tokens_but_no_sign_in(
    server: AuthorizationServer, sign_in: SignIn, refresh: Refresh
) -> None:
    tokens = sign_in()
    assert accepted(server, tokens["access_token"])
    server.keys.replace("notes")
    assert not accepted(server, tokens["access_token"])
    assert accepted(server, refresh(tokens["refresh_token"]).json()["access_token"])


def test_who_may_not_sign_in_any_more_is_not_refreshed(
    server: AuthorizationServer, browser: Browser, client_id: str, known: Known, refresh: Refresh
) -> None:
    known.change("notes", users={"bob": ("*",)})
    url = browser.answer(browser.authorize(client_id=client_id, scope="notes:read notes:write")).headers["location"]
    server.approve(code_on(browser, url), "bob")
    tokens = exchange(browser, client_id, query_of(browser.http.get(url))["code"]).json()
    known.change("notes", users={"bob": ("notes:read",)})
    tokens = refresh(tokens["refresh_token"]).json()
    assert tokens["scope"] == "notes:read"
    known.change("notes", users={})
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_destroyed_project_leaves_no_sign_in(server: AuthorizationServer, sign_in: SignIn, refresh: Refresh) -> None:
    tokens = sign_in()
    server.forget("notes")
    assert refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert not accepted(server, tokens["access_token"])
