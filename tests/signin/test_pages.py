"""Tests the pages of a sign-in against those who would frame them, post to them, or put something into them."""

from __future__ import annotations

import re
import sqlite3
import time

import pytest

from platform_cli.errors import HomeportError, NotFoundError
from platform_cli.signin.pending import LIFE_S
from platform_cli.signin.server import AuthorizationServer

from .conftest import ISSUER, REDIRECT, Browser, Known, field_of, query_of

EVIL = "https://evil.example"


def code_on(browser: Browser, url: str) -> str:
    found = re.search(r"homeport approve ([A-Z-]+)", browser.http.get(url).text)
    assert found
    return found[1]


def test_page_names_program_scopes_and_place_and_cannot_be_framed(browser: Browser, client_id: str) -> None:
    page = browser.authorize(client_id=client_id, scope="notes:write")
    for told in ("Tester", "notes", "notes:write", "localhost:3118"):
        assert told in page.text
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:3118;" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    assert "<script" not in page.text


def test_hostile_name_is_text(browser: Browser) -> None:
    name = '"><script>alert(1)</script><meta http-equiv=refresh content="0;url=https://evil.example">{{ 7*7 }}'
    client_id = browser.http.post("/register", json={"client_name": name, "redirect_uris": [REDIRECT]}).json()[
        "client_id"
    ]
    page = browser.authorize(client_id=client_id)
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "<meta http-equiv" not in page.text
    assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:8400", "http://localhost:8399", None])
def test_form_of_another_page_is_refused(browser: Browser, client_id: str, origin: str | None) -> None:
    page = browser.authorize(client_id=client_id)
    form = {"sign_in": field_of(page, "sign_in"), "decision": "allow"}
    headers = {"origin": origin} if origin else {}
    answer = browser.http.post("/authorize/consent", data=form, headers=headers)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert browser.answer(page).status_code == 303


def test_approval_is_of_the_browser_that_has_consented(
    server: AuthorizationServer, browser: Browser, client_id: str
) -> None:
    waiting = browser.answer(browser.authorize(client_id=client_id))
    cookie = waiting.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/authorize" in cookie
    url = waiting.headers["location"]
    server.approve(code_on(browser, url))
    # Somebody else who has the address of the page.
    assert Browser(server).http.get(url).status_code == 403
    assert "code" in query_of(browser.http.get(url))


def test_cookie_is_the_hosts_alone_on_https(known: Known) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    server = AuthorizationServer(db, known, lambda: "https://mcp.example.com", lambda: b"k" * 32)
    browser = Browser(server, "https://mcp.example.com")
    client_id = browser.http.post("/register", json={"redirect_uris": [REDIRECT]}).json()["client_id"]
    cookie = browser.answer(browser.authorize(client_id=client_id)).headers["set-cookie"]
    assert cookie.startswith("__Host-homeport-")
    assert "Secure" in cookie
    assert "Path=/;" in cookie
    db.close()


def test_a_code_that_is_guessed_used_twice_or_late(
    server: AuthorizationServer, browser: Browser, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for guess in ("BBBB-BBBB", "", "' OR 1=1", "B" * 5000):
        with pytest.raises(NotFoundError):
            server.approve(guess)
    page = browser.authorize(client_id=client_id)
    pending = server.pending.find(field_of(page, "sign_in"))
    assert pending is not None
    # Before the consent there is nothing to approve.
    with pytest.raises(NotFoundError):
        server.approve(pending.code)
    url = browser.answer(page).headers["location"]
    # Consent is given once.
    assert browser.answer(page).status_code == 400
    code = code_on(browser, url)
    server.approve(code)
    assert browser.http.get(url).status_code == 303
    with pytest.raises(NotFoundError):
        server.approve(code)
    assert browser.http.get(url).status_code == 404

    url = browser.answer(browser.authorize(client_id=client_id)).headers["location"]
    code = code_on(browser, url)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LIFE_S + 1)
    with pytest.raises(NotFoundError):
        server.approve(code)
    assert browser.http.get(url).status_code == 404


def test_only_users_that_are_named_are_approved(
    server: AuthorizationServer, browser: Browser, client_id: str, known: Known
) -> None:
    url = browser.answer(browser.authorize(client_id=client_id)).headers["location"]
    code = code_on(browser, url)
    with pytest.raises(HomeportError, match=r"bob@example\.com may not sign in"):
        server.approve(code, "bob@example.com")
    known.change("notes", users={"*@company.com": ("notes:read",)})
    with pytest.raises(HomeportError):
        server.approve(code, "bob@example.com")
    server.approve(code, "Bob@Company.com")
    assert "code" in query_of(browser.http.get(url))


def test_one_time_link_makes_a_browser_the_owners(
    server: AuthorizationServer, browser: Browser, client_id: str
) -> None:
    link = server.browsers.make_link("notes")
    page = browser.http.get(f"/authorize/link?link={link}")
    # Whoever looks at links before people open them has not used it.
    page = browser.http.get(f"/authorize/link?link={link}")
    form = {"link": field_of(page, "link")}
    assert browser.http.post("/authorize/link", data=form, headers={"origin": EVIL}).status_code == 403
    opened = browser.http.post("/authorize/link", data=form, headers={"origin": ISSUER})
    assert opened.status_code == 200
    assert Browser(server).http.post("/authorize/link", data=form, headers={"origin": ISSUER}).status_code == 404

    # Consent is asked for all the same.
    page = browser.authorize(client_id=client_id)
    assert "signed in as <strong>owner</strong>" in page.text
    assert "code" in query_of(browser.answer(page))
    # On loopback it was for one sign-in, and always for one project.
    assert "wait" in browser.answer(browser.authorize(client_id=client_id)).headers["location"]


def test_link_is_for_its_project_alone(server: AuthorizationServer, browser: Browser, client_id: str) -> None:
    form = {"link": server.browsers.make_link("plain")}
    assert browser.http.post("/authorize/link", data=form, headers={"origin": ISSUER}).status_code == 200
    assert "wait" in browser.answer(browser.authorize(client_id=client_id)).headers["location"]


def test_requests_that_must_not_be_answered_to_the_client(browser: Browser, client_id: str) -> None:
    for changes in (
        {"client_id": "unknown"},
        {"client_id": None},
        {"redirect_uri": "http://localhost:3118/callback/"},
        {"redirect_uri": "https://localhost:3118/callback"},
        {"redirect_uri": EVIL},
        {"redirect_uri": "javascript://localhost/"},
    ):
        answer = browser.authorize(**{"client_id": client_id, **changes})
        assert answer.status_code in (400, 401), changes
        assert "location" not in answer.headers
    twice = browser.http.get(f"/authorize?client_id={client_id}&client_id={client_id}")
    assert twice.status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "http://127.0.0.1:9999/mcp"}, "invalid_target"),
        ({"resource": "http://127.0.0.1:8400.evil.example/mcp"}, "invalid_target"),
        ({"resource": None}, "invalid_target"),
        ({"prompt": "none"}, "login_required"),
        ({"response_mode": "fragment"}, "invalid_request"),
    ],
)
def test_errors_that_the_client_hears(
    browser: Browser, client_id: str, changes: dict[str, str | None], error: str
) -> None:
    answer = browser.authorize(client_id=client_id, **changes)
    said = query_of(answer)
    assert (said["error"], said["iss"], said["state"]) == (error, ISSUER, "s t&a=te")


def test_a_link_to_the_platform_leads_nobody_to_a_client_that_nobody_uses(
    server: AuthorizationServer, browser: Browser
) -> None:
    said = {"client_name": "Evil", "redirect_uris": [EVIL]}
    client_id = browser.http.post("/register", json=said).json()["client_id"]
    answer = browser.authorize(client_id=client_id, redirect_uri=EVIL, prompt="none")
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    server.clients.use(client_id)
    answer = browser.authorize(client_id=client_id, redirect_uri=EVIL, prompt="none")
    assert query_of(answer)["error"] == "login_required"
