"""Tests how clients make themselves known, by registration."""

from __future__ import annotations

import json

import pytest

from platform_cli.signin import registered_clients
from platform_cli.signin.registration import read_registration, shown_name
from platform_cli.signin.server import AuthorizationServer

from .conftest import REDIRECT, Browser

CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


def test_answer_has_no_nulls_and_whole_numbers(browser: Browser) -> None:
    asked = {"client_name": "Claude", "redirect_uris": [REDIRECT], "scope": "notes:read", "logo_uri": None}
    answer = browser.http.post("/register", json=asked).json()
    assert None not in answer.values()
    assert type(answer["client_id_issued_at"]) is int
    assert (answer["token_endpoint_auth_method"], answer["scope"]) == ("none", "notes:read")
    assert "client_secret" not in answer


def test_one_redirect_that_is_refused_does_not_refuse_the_others(browser: Browser) -> None:
    answer = browser.http.post("/register", json={"redirect_uris": [*CURSOR, "javascript://x/", None]})
    assert (answer.status_code, answer.json()["redirect_uris"]) == (201, CURSOR)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"redirect_uris": "https://a.example/"}', b'{"redirect_uris": ["javascript://x/"]}']
)
def test_what_is_no_registration(browser: Browser, body: bytes) -> None:
    answer = browser.http.post("/register", content=body)
    assert (answer.status_code, answer.json()["error"][:8]) == (400, "invalid_")


def test_a_registration_may_have_five_kilobytes(browser: Browser) -> None:
    body = json.dumps({"redirect_uris": [REDIRECT], "client_name": "x" * 6000})
    assert browser.http.post("/register", content=body).status_code == 413


def test_the_same_program_is_one_client_whatever_its_port(browser: Browser) -> None:
    def registered(name: str, uri: str) -> str:
        client_id = browser.http.post("/register", json={"client_name": name, "redirect_uris": [uri]}).json()[
            "client_id"
        ]
        assert isinstance(client_id, str)
        return client_id

    first = registered("Claude Code (notes)", "http://localhost:3118/callback")
    assert registered("Claude Code (notes)", "http://localhost:40001/callback") == first
    assert registered("Claude Code (notes)", "http://localhost:3118/other") != first
    assert registered("Claude Code (other)", "http://localhost:3118/callback") != first


def test_any_number_of_registrations_locks_nobody_out(
    server: AuthorizationServer, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registered_clients, "MAX_UNUSED", 20)

    def put(number: int) -> str:
        body = json.dumps({"client_name": f"n{number}", "redirect_uris": [REDIRECT]})
        client = read_registration(body.encode())
        server.clients.put(client)
        return client.id

    used = put(0)
    server.clients.use(used)
    unused = put(1)
    last = [put(number) for number in range(2, 23)][-1]
    assert server.clients.knows(used)
    assert server.clients.knows(last)
    assert not server.clients.knows(unused)
    # Who was forgotten hears what makes clients register again.
    answer = browser.http.post(
        "/token", data={"grant_type": "refresh_token", "client_id": unused, "refresh_token": "x"}
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_names_that_would_deceive() -> None:
    assert shown_name("Claude\u202e edoC\n\x00x") == "Claude edoC x"
    assert shown_name("  a \t b  ") == "a b"
    assert len(shown_name("x" * 10_000)) == 100
