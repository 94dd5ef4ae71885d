"""Tests who hears a recorded answer: those whom the guard would let in."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from homeport_runtime.hosts.aws_lambda.access import STATE_SECRET, LambdaAccess
from tests.aws.function_url import DOMAIN, make_event

TOKEN = "mytoken"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Host": f"{DOMAIN}:443", "Origin": f"https://{DOMAIN}"}, True),
        ({"host": "mcp.example.com"}, True),
        ({"host": "evil.example"}, False),
        ({"host": f"{DOMAIN}.evil.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"authorization": "Bearer other"}, False),
        ({"authorization": ""}, False),
    ],
)
def test_whom_a_function_lets_in(headers: dict[str, str], allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_NAMES", "mcp.example.com")
    monkeypatch.setenv("HOMEPORT_TOKEN_HASH", hashlib.sha256(TOKEN.encode()).hexdigest())
    event = make_event("POST", "/mcp", {"authorization": f"Bearer {TOKEN}", **headers}, b"{}")
    assert LambdaAccess().allows(event) is allowed


def test_the_token_of_the_project_is_kept_and_that_of_a_handshake_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [hashlib.sha256(token.encode()).hexdigest() for token in (TOKEN, "handshake")]
    monkeypatch.setenv("HOMEPORT_TOKEN_HASH", ",".join(hashes))
    access = LambdaAccess()
    for shown, kept in (("handshake", None), ("other", None), (TOKEN, TOKEN), ("other", TOKEN)):
        access.learn(make_event("POST", "/health", {"authorization": f"Bearer {shown}"}, b""))
        assert access.state_secret() == kept


def test_the_secret_of_a_project_without_a_token_is_no_variable_of_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMEPORT_TOKEN_HASH", raising=False)
    monkeypatch.setenv(STATE_SECRET, "secret")
    assert LambdaAccess().state_secret() == "secret"
    assert STATE_SECRET not in os.environ


def test_client_tokens_without_a_project_token_let_nobody_else_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOMEPORT_TOKEN_HASH", raising=False)
    hashed = hashlib.sha256(b"clients-own").hexdigest()
    monkeypatch.setenv("HOMEPORT_CLIENT_TOKENS", json.dumps([{"hash": hashed, "client": "cursor"}]))
    monkeypatch.setenv(STATE_SECRET, "secret")
    access = LambdaAccess()
    shown = [{}, {"authorization": "Bearer other"}, {"authorization": "Bearer clients-own"}]
    assert [access.allows(make_event("POST", "/mcp", headers, b"{}")) for headers in shown] == [False, False, True]
    assert access.state_secret() == "secret"
