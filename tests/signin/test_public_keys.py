"""Tests tokens for resources elsewhere: who may verify them, for how long, and by which keys."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest

from homeport_runtime.guard.issued_tokens import LEEWAY_S, IssuedTokens
from homeport_runtime.guard.issuer_keys import MAX_BYTES
from platform_cli.signin.access_tokens import ACCESS_S, REMOTE_ACCESS_S
from platform_cli.signin.grants import ENDED_S, MOST_ENDED, new_grant_id
from platform_cli.signin.key_numbers import ROTATE_S
from platform_cli.signin.keys import PUBLIC_HEARD_S, PublicKeys
from platform_cli.signin.server import JWKS_PATH, AuthorizationServer

from .conftest import ISSUER, NOTES, Browser, Known
from .test_tokens import accepted, later

SignIn = Callable[..., dict[str, Any]]


@pytest.fixture
def elsewhere(known: Known) -> Known:
    known.change("notes", is_elsewhere=True)
    return known


def reads(browser: Browser, token: str, url: str = NOTES.urls[0]) -> bool:
    """Tells whether a server at `url` believes a token, which has fetched the keys just now."""
    jwks = browser.http.get(JWKS_PATH).json()["keys"]
    oauth = {"issuer": ISSUER, "urls": [url], "audience": [], "scope_claim": "scope", "jwks": jwks}
    return IssuedTokens(oauth, lambda: None).read(token) is not None


@pytest.mark.usefixtures("elsewhere")
def test_a_token_is_for_its_resource_and_a_quarter_of_an_hour(
    server: AuthorizationServer, browser: Browser, sign_in: SignIn
) -> None:
    answer = sign_in()
    assert answer["expires_in"] == REMOTE_ACCESS_S < ACCESS_S
    token = answer["access_token"]
    assert reads(browser, token)
    assert not reads(browser, token, "http://127.0.0.1:8401")
    assert not accepted(server, token), "a project's own key has not signed it"


@pytest.mark.usefixtures("elsewhere")
def test_no_token_is_for_a_url_that_is_not_registered_any_more(
    known: Known, browser: Browser, sign_in: SignIn, client_id: str
) -> None:
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": sign_in()["refresh_token"]}
    known.change("notes", urls=("https://moved.example.com",))
    answer = browser.http.post("/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_project_here_is_not_believed_elsewhere(browser: Browser, sign_in: SignIn) -> None:
    assert not reads(browser, sign_in()["access_token"])


@pytest.mark.usefixtures("elsewhere")
def test_keys_rotate_with_an_overlap(
    server: AuthorizationServer, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = server.public_keys
    (first,) = keys.jwks()
    assert not keys.rotate_old()
    later(monkeypatch, ROTATE_S + 1)
    assert keys.rotate_old()
    assert [each["kid"] for each in keys.jwks()][1:] == [first["kid"]], "both are told"
    assert keys.signing().key_id == first["kid"], "not everybody may have heard of the new one"
    old = sign_in()["access_token"]
    later(monkeypatch, PUBLIC_HEARD_S + 1)
    assert keys.signing().key_id != first["kid"]
    assert jwt.get_unverified_header(old)["kid"] in [each["kid"] for each in keys.jwks()], "tokens of before live on"
    later(monkeypatch, ACCESS_S)
    assert first["kid"] not in [each["kid"] for each in keys.jwks()]


def test_keys_are_the_same_after_a_restart_and_no_others() -> None:
    def keys(secret: bytes) -> list[dict[str, Any]]:
        db = sqlite3.connect(":memory:", isolation_level=None)
        found = PublicKeys(db, lambda: secret).jwks()
        db.close()
        return found

    assert keys(b"k" * 32) == keys(b"k" * 32)
    assert keys(b"k" * 32) != keys(b"o" * 32)
    assert {*keys(b"k" * 32)[0]} == {"kty", "crv", "x", "y", "kid", "use", "alg"}


@pytest.mark.usefixtures("elsewhere")
def test_a_resource_elsewhere_reports_a_refused_call_by_the_token_itself(
    server: AuthorizationServer, browser: Browser, sign_in: SignIn, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = sign_in()
    access, form = tokens["access_token"], {"grant_type": "refresh_token", "client_id": client_id}

    def report(token: str | None) -> int:
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        return browser.http.post("/refused", headers=headers).status_code

    def refresh(token: str) -> Any:
        return browser.http.post("/token", data={**form, "refresh_token": token}).json()

    head, _, signature = access.split(".")
    claims = jwt.decode(access, options={"verify_signature": False})
    mine = jwt.encode(claims, "k" * 32, headers={"kid": jwt.get_unverified_header(access)["kid"], "typ": "at+jwt"})
    strangers = [
        None,
        "",
        "x",
        "a.b.c",
        mine,
        ".".join([head, mine.split(".")[1] + "A", signature]),
        f"{access[:-4]}AAAA",
    ]
    strangers.append(f"{head}.{access.split('.')[1]}.")
    assert [report(each) for each in strangers] == [401] * len(strangers)
    tokens = refresh(tokens["refresh_token"])
    assert "error" not in tokens, "strangers end nobody's sign-in"
    assert report(access) == 204
    assert refresh(tokens["refresh_token"])["error"] == "invalid_grant"
    tokens = refresh(tokens["refresh_token"])
    assert "error" not in tokens, "once for each refusal"
    later(monkeypatch, REMOTE_ACCESS_S + 1)
    assert report(access) == 401, "a token that was found later is worth nothing"
    assert server.grants.listed("notes") != []


def test_a_token_for_a_project_here_reports_nothing(browser: Browser, sign_in: SignIn) -> None:
    headers = {"authorization": f"Bearer {sign_in()['access_token']}"}
    assert browser.http.post("/refused", headers=headers).status_code == 401


def test_ended_sign_ins_are_listed_beside_the_keys_for_as_long_as_tokens_live(
    server: AuthorizationServer, browser: Browser, known: Known, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> list[str]:
        answer = browser.http.get(JWKS_PATH)
        assert answer.headers["cache-control"] == "no-cache"
        return list(answer.json()["ended"])

    sign_in()
    server.grants.end_of("notes")
    assert listed() == [], "a project here hears of it otherwise"
    known.projects = [replace(NOTES, name="notes@notes.example", is_elsewhere=True)]
    grant = str(jwt.decode(sign_in()["access_token"], options={"verify_signature": False})["jti"])
    assert listed() == []
    server.end("notes@notes.example", "owner")
    assert listed() == [grant]
    later(monkeypatch, REMOTE_ACCESS_S + LEEWAY_S)
    assert listed() == [grant], "until its last token is believed nowhere"
    later(monkeypatch, ENDED_S)
    assert listed() == []


def test_a_resource_elsewhere_can_read_the_longest_list() -> None:
    ids = [new_grant_id() for _ in range(MOST_ENDED)]
    assert len(json.dumps({"keys": [{"x": "y" * 500}] * 3, "ended": ids})) < MAX_BYTES


@pytest.mark.usefixtures("elsewhere")
def test_the_page_names_the_resource(browser: Browser, client_id: str) -> None:
    assert f"<code>{NOTES.urls[0]}/mcp</code>" in browser.authorize(client_id=client_id).text
