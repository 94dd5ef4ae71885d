"""Tests sign-in by a code that is typed at GitHub, of which only HTTP is real."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from platform_cli.config.issuers import GITHUB, Login
from platform_cli.signin import device_flow, identities
from platform_cli.signin.server import AuthorizationServer

from .conftest import Browser, Known, exchange, query_of
from .test_server import claims_of

PENDING, TAKEN = {"error": "authorization_pending"}, {"access_token": "gho_x"}


class GitHub:
    """Is GitHub's device flow; `says` are its answers to the question whether the code was typed."""

    def __init__(self) -> None:
        self.says: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.begins: dict[str, Any] = {}
        self.user = "octocat"
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_known = self.headers["authorization"] == "Bearer gho_x"
                self.answer({"login": service.user} if is_known else {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                service.asked.append(dict(parse_qsl(body)))
                self.answer(service.begins if self.path == "/login/device/code" else service.says.pop(0))

            def answer(self, said: dict[str, Any]) -> None:
                data = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.begins = {
            "device_code": "their-secret",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.url}/login/device",
            "expires_in": 900,
            "interval": 5,
        }


@pytest.fixture
def github(known: Known, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    running = GitHub()
    monkeypatch.setattr(identities, "GITHUB_URL", running.url)
    monkeypatch.setattr(identities, "GITHUB_API", running.url)
    monkeypatch.setattr(device_flow, "INTERVAL_S", 0.0)
    running.begins["interval"] = 0
    users = {"octocat": ("notes:read",)}
    known.change("notes", login=Login(GITHUB, "public-app"), users=users)
    yield running
    running.server.shutdown()
    running.server.server_close()


def begun(browser: Browser, client_id: str) -> str:
    """Consents, and returns the address of the page with the code."""
    page = browser.authorize(client_id=client_id)
    assert "Then you sign in with GitHub" in page.text
    answer = browser.answer(page)
    location: str = answer.headers["location"]
    assert location.startswith("/authorize/device?")
    return location


def test_who_types_the_code_signs_in(browser: Browser, github: GitHub, client_id: str) -> None:
    address = begun(browser, client_id)
    github.says = [PENDING, {"error": "slow_down"}, TAKEN]
    for _ in range(2):
        page = browser.http.get(address)
        assert "WDJB-MJHT" in page.text
        assert f'href="{github.url}/login/device"' in page.text
        assert "their-secret" not in page.text
    done = browser.http.get(address)
    tokens = exchange(browser, client_id, query_of(done)["code"]).json()
    assert (claims_of(tokens["access_token"])["sub"], tokens["scope"]) == ("octocat", "notes:read")
    assert github.asked[0] == {"client_id": "public-app"}, "no scope at all"
    assert github.asked[-1]["device_code"] == "their-secret"
    assert browser.http.get(address).status_code == 404


def test_github_is_not_asked_more_often_than_it_wants(
    browser: Browser, github: GitHub, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.begins["interval"] = 5
    address = begun(browser, client_id)
    for _ in range(3):
        assert browser.http.get(address).status_code == 200
    assert len(github.asked) == 1, "only to begin"
    github.says = [PENDING]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 6)
    for _ in range(3):
        assert 'content="5"' in browser.http.get(address).text
    assert len(github.asked) == 2


def test_another_browser_gets_nothing_of_it(
    server: AuthorizationServer, browser: Browser, github: GitHub, client_id: str
) -> None:
    address = begun(browser, client_id)
    github.says = [TAKEN]
    assert Browser(server).http.get(address).status_code == 403
    assert len(github.asked) == 1


@pytest.mark.parametrize(
    ("answer", "user"),
    [
        ({"error": "access_denied"}, "octocat"),
        ({"error": "expired_token"}, "octocat"),
        (TAKEN, "mallory"),
        (TAKEN, "owner"),
    ],
)
def test_who_may_not(browser: Browser, github: GitHub, client_id: str, answer: dict[str, Any], user: str) -> None:
    github.says, github.user = [answer], user
    assert query_of(browser.http.get(begun(browser, client_id)))["error"] == "access_denied"


@pytest.mark.parametrize("begins", [{"error": "device_flow_disabled"}, {"verification_uri": "https://evil.example/"}])
def test_a_sign_in_that_does_not_begin_can_be_tried_again(
    browser: Browser, github: GitHub, client_id: str, begins: dict[str, str]
) -> None:
    page, sound = browser.authorize(client_id=client_id), github.begins
    github.begins = begins if "error" in begins else {**sound, **begins}
    assert browser.answer(page).status_code == 502
    github.begins = sound
    assert browser.answer(page).status_code == 303


def test_with_a_secret_the_browser_comes_back(browser: Browser, github: GitHub, known: Known, client_id: str) -> None:
    known.secrets["notes"] = "the app's secret"
    answer = browser.answer(browser.authorize(client_id=client_id))
    assert "/login/oauth/authorize?" in answer.text
    assert github.asked == []
