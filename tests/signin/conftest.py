"""Makes an authorization server without a platform, and the client and the browser that use it."""

from __future__ import annotations

import base64
import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from platform_cli.signin.model import ProtectedProject
from platform_cli.signin.routes import sign_in_app
from platform_cli.signin.server import AuthorizationServer

ISSUER = "http://127.0.0.1:8399"
NOTES = ProtectedProject(
    "notes", ("http://127.0.0.1:8400", "http://localhost:8400"), ("notes:read", "notes:write"), ("notes:read",)
)
PLAIN = ProtectedProject("plain", ("http://127.0.0.1:8401",))
REDIRECT = "http://localhost:3118/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Known:
    """Holds the projects that the server knows."""

    projects: list[ProtectedProject] = field(default_factory=lambda: [NOTES, PLAIN])
    secrets: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> ProtectedProject | None:
        return next((each for each in self.projects if each.name == name), None)

    def all(self) -> list[ProtectedProject]:
        return self.projects

    def login_secret(self, name: str) -> str | None:
        return self.secrets.get(name)

    def change(self, name: str, **changes: Any) -> None:
        self.projects = [replace(each, **changes) if each.name == name else each for each in self.projects]


class Browser:
    """Is a person's browser, with cookies of its own."""

    def __init__(self, server: AuthorizationServer, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.http = TestClient(sign_in_app(server), base_url=issuer, follow_redirects=False)

    def authorize(self, **changes: str | None) -> httpx2.Response:
        asked = {
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s t&a=te",
            "resource": f"{NOTES.urls[0]}/mcp",
            "scope": "notes:read",
        } | changes
        return self.http.get("/authorize", params={key: value for key, value in asked.items() if value is not None})

    def answer(self, page: httpx2.Response, decision: str = "allow", **headers: str) -> httpx2.Response:
        return self.http.post(
            "/authorize/consent",
            data={"sign_in": field_of(page, "sign_in"), "decision": decision},
            headers={"origin": self.issuer, **headers},
        )


def field_of(page: httpx2.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def query_of(response: httpx2.Response) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def server(known: Known) -> Iterator[AuthorizationServer]:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    yield AuthorizationServer(db, known, lambda: ISSUER, lambda: b"k" * 32)
    db.close()


@pytest.fixture
def browser(server: AuthorizationServer) -> Browser:
    return Browser(server)


@pytest.fixture
def client_id(browser: Browser) -> str:
    registered = browser.http.post("/register", json={"client_name": "Tester", "redirect_uris": [REDIRECT]})
    assert registered.status_code == 201
    return str(registered.json()["client_id"])


@pytest.fixture
def sign_in(server: AuthorizationServer, browser: Browser, client_id: str) -> Callable[..., dict[str, Any]]:
    """Returns a function that signs in with the owner's approval, and returns the answer of the token endpoint."""

    def signed_in(**changes: str | None) -> dict[str, Any]:
        waiting = browser.answer(browser.authorize(client_id=client_id, **changes))
        page = browser.http.get(waiting.headers["location"])
        code = re.search(r"homeport approve ([A-Z-]+)", page.text)
        assert code, page.text
        server.approve(code[1])
        done = browser.http.get(waiting.headers["location"])
        answer: dict[str, Any] = exchange(browser, client_id, query_of(done)["code"]).json()
        return answer

    return signed_in


def exchange(browser: Browser, client_id: str, code: str, **changes: str | None) -> httpx2.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    }
    said = {key: value for key, value in (form | changes).items() if value is not None}
    return browser.http.post("/token", data=said)
