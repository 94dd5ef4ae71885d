"""Tests the authorization server as clients and browsers see it, over its ASGI app."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from platform_cli.signin.server import AuthorizationServer

from .conftest import ISSUER, NOTES, REDIRECT, Browser, exchange, query_of

SignIn = Callable[..., dict[str, Any]]


def claims_of(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_metadata_has_what_clients_look_for(browser: Browser) -> None:
    answer = browser.http.get("/.well-known/oauth-authorization-server", headers={"origin": "https://app.example.com"})
    said = answer.json()
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (said["issuer"], said["authorization_endpoint"]) == (ISSUER, f"{ISSUER}/authorize")
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["token_endpoint_auth_methods_supported"] == ["none"]
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["scopes_supported"] == ["notes:read", "notes:write", "offline_access"]


def test_a_sign_in_by_the_owners_approval(sign_in: SignIn, client_id: str) -> None:
    tokens = sign_in(scope="notes:read notes:write offline_access")
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert tokens["scope"] == "notes:read notes:write offline_access"
    claims = claims_of(tokens["access_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, f"{NOTES.urls[0]}/mcp", "owner")
    assert (claims["client_id"], claims["scope"]) == (client_id, "notes:read notes:write")


def test_the_answer_names_issuer_and_state_once(server: AuthorizationServer, browser: Browser, client_id: str) -> None:
    refused = browser.answer(browser.authorize(client_id=client_id), "deny")
    assert refused.status_code == 303
    assert refused.headers["location"].startswith(f"{REDIRECT}?")
    assert query_of(refused) == {
        "error": "access_denied",
        "error_description": "the user has refused",
        "state": "s t&a=te",
        "iss": ISSUER,
    }


def test_a_code_is_good_once(server: AuthorizationServer, browser: Browser, client_id: str) -> None:
    waiting = browser.answer(browser.authorize(client_id=client_id))
    secret = waiting.headers["location"].partition("=")[2]
    pending = server.pending.find(secret)
    assert pending is not None
    server.approve(pending.code.lower().replace("-", " "))
    done = browser.http.get(waiting.headers["location"])
    code = query_of(done)["code"]
    first = exchange(browser, client_id, code, redirect_uri=None)
    assert first.status_code == 200
    again = exchange(browser, client_id, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    # Whoever used it first may have been the thief.
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": first.json()["refresh_token"]}
    assert browser.http.post("/token", data=form).json()["error"] == "invalid_grant"
