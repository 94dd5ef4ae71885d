"""Tests that one address cannot push out the sign-ins and registrations that others have begun."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from platform_cli.signin import server as signin_server
from platform_cli.signin.peers import BEGUN, REPORTED, network_of
from platform_cli.signin.pending import LIFE_S, MAX_PENDING
from platform_cli.signin.registered_clients import MAX_UNUSED
from platform_cli.signin.server import AuthorizationServer

from .conftest import REDIRECT, Browser, Known

PUBLIC = "https://mcp.example.com"


def test_one_address_begins_less_than_there_is_room_for() -> None:
    assert BEGUN.calls * LIFE_S / BEGUN.seconds < min(MAX_PENDING, MAX_UNUSED)


def test_registrations_and_sign_ins_of_one_address_are_bounded_where_strangers_come(known: Known) -> None:
    said = {"client_name": "Tester", "redirect_uris": [REDIRECT]}
    with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as db:
        browser = Browser(AuthorizationServer(db, known, lambda: PUBLIC, lambda: b"k" * 32), PUBLIC)
        client_id = browser.http.post("/register", json=said).json()["client_id"]
        answers = [browser.authorize(client_id=client_id).status_code for _ in range(BEGUN.calls)]
        assert answers == [200] * (BEGUN.calls - 1) + [429]
        refused = browser.http.post("/register", json=said)
        assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
        browser.http.headers["x-forwarded-for"] = "203.0.113.7"
        assert browser.http.post("/register", json=said).status_code == 429, "only a proxy on this machine is believed"


def test_reports_of_one_address_are_bounded_before_a_signature_is_checked(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    monkeypatch.setattr(signin_server, "read_signed", lambda token, *_others: checked.append(token))
    with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as db:
        browser = Browser(AuthorizationServer(db, known, lambda: PUBLIC, lambda: b"k" * 32), PUBLIC)
        bearer = {"authorization": "Bearer a.b.c"}
        answers = [browser.http.post("/refused", headers=bearer).status_code for _ in range(REPORTED.calls + 1)]
        assert answers == [401] * REPORTED.calls + [429]
        assert len(checked) == REPORTED.calls
        said = {"client_name": "Tester", "redirect_uris": [REDIRECT]}
        assert browser.http.post("/register", json=said).status_code == 201, "it may sign in all the same"


def test_on_loopback_nobody_is_counted(browser: Browser, client_id: str) -> None:
    answers = [browser.authorize(client_id=client_id).status_code for _ in range(BEGUN.calls + 1)]
    assert answers == [200] * (BEGUN.calls + 1)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_networks(host: str, network: str) -> None:
    assert network_of(host) == network
