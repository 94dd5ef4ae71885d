"""Tests sign-in by a code that is typed at GitHub, of which only HTTP is real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from platform_cli.config.issuers import GITHUB, Login
from platform_cli.signin import device_flow, identities
from platform_cli.signin.server import AuthorizationServer

from .conftest import Browser, Known, exchange, query_of
from .stand_in import Answer, StandIn, running
from .test_server import claims_of

PENDING, TAKEN = {"error": "authorization_pending"}, {"access_token": "gho_x"}


class GitHub(StandIn):
    """Is GitHub's device flow; `says` are its answers to the question whether the code was typed."""

    def __init__(self) -> None:
        self.says: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.user = "octocat"

    def begin(self, url: str) -> None:
        super().begin(url)
        self.begins: dict[str, Any] = {
            "device_code": "their-secret",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{url}/login/device",
            "expires_in": 900,
            "interval": 5,
        }

    def get(self, _path: str, authorization: str | None) -> Answer:
        return {"login": self.user} if authorization == "Bearer gho_x" else {}

    def post(self, path: str, form: dict[str, str]) -> Answer:
        self.asked.append(form)
        return self.begins if path == "/login/device/code" else self.says.pop(0)


@pytest.fixture
def github(known: Known, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    with running(GitHub()) as found:
        monkeypatch.setattr(identities, "GITHUB_URL", found.url)
        monkeypatch.setattr(identities, "GITHUB_API", found.url)
        monkeypatch.setattr(device_flow, "INTERVAL_S", 0.0)
        found.begins["interval"] = 0
        known.change("notes", login=Login(GITHUB, "public-app"), users={"octocat": ("notes:read",)})
        yield found


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
