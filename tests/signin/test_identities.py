"""Tests sign-in by another service: GitHub, and an OpenID provider, as stand-ins of which only HTTP is real."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from platform_cli.config.issuers import Login
from platform_cli.signin.identities import GitHubUsers
from platform_cli.signin.server import AuthorizationServer

from .conftest import ISSUER, NOTES, Browser, Known, exchange, query_of
from .stand_in import Answer, StandIn, running
from .test_server import claims_of


class Service(StandIn):
    """Is a service that knows one person; `claims` change what it says, and `asked` is what it was asked last."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.asked: dict[str, str] = {}
        self.challenge = self.nonce = ""

    def get(self, path: str, authorization: str | None) -> Answer:
        if path == "/.well-known/openid-configuration":
            endpoints = {"authorization_endpoint": f"{self.url}/page", "token_endpoint": f"{self.url}/token"}
            return {"issuer": self.url, **endpoints}
        return {"login": "octocat"} if authorization == "Bearer gho_x" else {}

    def post(self, _path: str, form: dict[str, str]) -> Answer:
        self.asked = form
        if digest(form["code_verifier"]) != self.challenge:
            return {"error": "invalid_grant"}
        return {"access_token": "gho_x", "id_token": self.id_token()}

    def id_token(self) -> str:
        claims = {"iss": self.url, "aud": "app", "exp": time.time() + 60, "sub": "7", "nonce": self.nonce} | self.claims
        return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.x"

    def page_opened(self, url: str) -> dict[str, str]:
        """Takes what a page's URL says, as the service would when a person signs in there."""
        said = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        self.challenge, self.nonce = said["code_challenge"], said.get("nonce", "")
        return said


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def service() -> Iterator[Service]:
    with running(Service()) as found:
        yield found


@pytest.fixture
def elsewhere(known: Known, service: Service) -> Known:
    users = {"alice@company.com": ("notes:read",), "7": ("*",)}
    known.change("notes", login=Login(service.url, "app"), users=users)
    known.secrets["notes"] = "the app's secret"
    return known


def begun(browser: Browser, service: Service, client_id: str) -> dict[str, str]:
    """Consents, and returns what the page of the service is asked for."""
    page = browser.authorize(client_id=client_id, scope="notes:read notes:write")
    assert "Then you sign in at 127.0.0.1" in page.text
    onwards = browser.answer(page)
    assert onwards.status_code == 200
    url = onwards.text.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert url.startswith(f"{service.url}/page?")
    return service.page_opened(url)


@pytest.mark.usefixtures("elsewhere")
def test_sign_in_at_an_openid_provider(browser: Browser, service: Service, client_id: str) -> None:
    service.claims = {"email": "Alice@Company.com", "email_verified": True}
    asked = begun(browser, service, client_id)
    assert (asked["redirect_uri"], asked["scope"]) == (f"{ISSUER}/authorize/callback", "openid email")
    back = {"state": asked["state"], "code": "theirs"}
    done = browser.http.get("/authorize/callback", params=back)
    assert service.asked["client_secret"] == "the app's secret"
    tokens = exchange(browser, client_id, query_of(done)["code"]).json()
    claims = claims_of(tokens["access_token"])
    # What [auth.users] allows, of what was asked for.
    assert (claims["sub"], claims["scope"]) == ("Alice@Company.com", "notes:read")
    assert browser.http.get("/authorize/callback", params=back).status_code == 404


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another app"},
        {"aud": None},
        {"nonce": "of another sign-in"},
        {"exp": 0},
        {"exp": None},
        {"sub": None},
    ],
)
def test_answer_that_is_for_another_sign_in(
    browser: Browser, service: Service, client_id: str, claims: dict[str, Any]
) -> None:
    service.claims = claims
    asked = begun(browser, service, client_id)
    done = browser.http.get("/authorize/callback", params={"state": asked["state"], "code": "theirs"})
    assert (done.status_code, "location" in done.headers) == (400, False)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("claims", [{"email": "alice@company.com", "sub": "8"}, {"sub": "owner"}, {"sub": "nobody"}])
def test_people_who_may_not(browser: Browser, service: Service, client_id: str, claims: dict[str, Any]) -> None:
    service.claims = claims
    asked = begun(browser, service, client_id)
    done = browser.http.get("/authorize/callback", params={"state": asked["state"], "code": "theirs"})
    assert query_of(done)["error"] == "access_denied"


@pytest.mark.usefixtures("elsewhere")
def test_another_browser_cannot_come_back(
    server: AuthorizationServer, browser: Browser, service: Service, client_id: str
) -> None:
    asked = begun(browser, service, client_id)
    back = {"state": asked["state"], "code": "theirs"}
    assert Browser(server).http.get("/authorize/callback", params=back).status_code == 403
    # And whoever waited for that has lost the sign-in.
    assert browser.http.get("/authorize/callback", params=back).status_code == 404


@pytest.mark.usefixtures("elsewhere")
def test_who_does_not_sign_in_there_is_refused(browser: Browser, service: Service, client_id: str) -> None:
    asked = begun(browser, service, client_id)
    done = browser.http.get("/authorize/callback", params={"state": asked["state"], "error": "access_denied"})
    assert query_of(done)["error"] == "access_denied"


def test_without_the_secret_nobody_signs_in(browser: Browser, elsewhere: Known, client_id: str) -> None:
    del elsewhere.secrets["notes"]
    answer = browser.answer(browser.authorize(client_id=client_id))
    assert (answer.status_code, "SIGN_IN_SECRET" in answer.text) == (500, True)
    assert NOTES.name in browser.authorize(client_id=client_id).text


def test_github_account(service: Service) -> None:
    users = GitHubUsers("app", "secret", service.url, service.url)

    async def work() -> None:
        asked = service.page_opened(await users.page(f"{ISSUER}/authorize/callback", "state", "cookie"))
        assert (asked["client_id"], asked["state"]) == ("app", "state")
        assert await users.user(asked["redirect_uri"], "theirs", "cookie") == "octocat"

    asyncio.run(work())


def test_a_service_that_does_not_answer_can_be_tried_again(
    browser: Browser, elsewhere: Known, service: Service, client_id: str
) -> None:
    page = browser.authorize(client_id=client_id)
    elsewhere.change("notes", login=Login("http://127.0.0.1:1", "app"))
    assert browser.answer(page).status_code == 502
    elsewhere.change("notes", login=Login(service.url, "app"))
    assert browser.answer(page).status_code == 200
