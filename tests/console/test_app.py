"""Tests who gets what of the console, without a browser: the key, the headers, and strangers' texts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from urllib.parse import urlencode

import pytest

from platform_cli.api.difference import ToolsDifference
from platform_cli.console.sessions import Sessions

from .conftest import HOSTILE, ORIGIN, Browser, Shelf, deployment, release, row, status

PAGES = (
    "/", "/projects/shop", "/projects/shop?period=30d", "/projects/shop/calls", "/projects/shop/calls?kind=ok&slower=x",
    "/projects/shop/calls/abc", "/projects/shop/logs", "/projects/shop/releases", "/projects/shop/releases/v2/build",
    "/projects/shop/errors", "/projects/shop/errors?state=all", "/projects/shop/errors/1",
    "/projects/shop/try",
    "/projects/shop/access", "/projects/shop/audit", "/projects/shop/secrets", "/settings",
)  # fmt: skip
NO_CODES = (b"", b"{}", b"[]", b"[" * 100_000, b'{"code": 1}', b'{"code": "x"}', b"\xff", b"x" * 10**7)
FOREIGN = (("cross-site", "cors"), ("same-site", "cors"), ("same-site", "no-cors"), ("cross-site", "websocket"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_a_key(browser: Browser, path: str) -> None:
    assert browser.page(path).status_code == 200
    for headers in (
        {},
        {"authorization": "Bearer x"},
        {"authorization": f"Basic {browser.key}"},
        {"cookie": browser.key},
    ):
        refused = browser.http.get(f"/console/f{path}", headers=headers)
        assert (refused.status_code, "shop" in refused.text) == (401, False)


def test_the_shell_holds_nothing_and_is_the_same_everywhere(browser: Browser) -> None:
    shells = [browser.http.get(path) for path in ("/console", "/console/projects/shop", "/console/no/such/page")]
    assert {each.status_code for each in shells} == {200}
    assert len({each.text for each in shells}) == 1
    assert "shop" not in shells[0].text


@pytest.mark.parametrize(
    "path", ["/console", "/console/f/", "/console/f/nowhere", "/console/static/x", "/console/login"]
)
def test_every_answer_has_the_headers(browser: Browser, path: str) -> None:
    headers = browser.http.get(f"/console{path}").headers
    policy = headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "form-action 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert "require-trusted-types-for 'script'; trusted-types homeport" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(("site", "mode"), FOREIGN)
def test_a_page_of_another_origin_gets_nothing(browser: Browser, site: str, mode: str) -> None:
    asked = {"sec-fetch-site": site, "sec-fetch-mode": mode, "authorization": f"Bearer {browser.key}"}
    for path in ("/console", "/console/f/", "/console/static/x"):
        assert browser.http.get(path, headers=asked).status_code == 403
    assert browser.http.post("/console/login", json={}, headers=asked).status_code == 403


def test_a_link_elsewhere_leads_here_and_a_frame_does_not(browser: Browser) -> None:
    asked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert browser.http.get("/console", headers={**asked, "sec-fetch-dest": "document"}).status_code == 200
    assert browser.http.get("/console", headers={**asked, "sec-fetch-dest": "iframe"}).status_code == 403
    posted = browser.http.post("/console/login", headers={**asked, "sec-fetch-dest": "document"})
    assert posted.status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"[" * 100_000, b'{"code": 1}', b'{"code": "x"}', b"\xff", b"x" * 10**7]
)
def test_a_login_with_anything_but_a_code(browser: Browser, body: bytes) -> None:
    answer = browser.http.post("/console/login", content=body)
    assert answer.status_code == 401
    assert "homeport console" in answer.json()["error"]["hint"]


def test_a_key_ends_with_its_session(browser: Browser, sessions: Sessions) -> None:
    asked = {"authorization": f"Bearer {browser.key}"}
    assert browser.http.post("/console/logout", headers=asked).status_code == 204
    assert browser.page("/").status_code == 401
    assert sessions.listed() == []


def test_what_does_not_exist_says_so(browser: Browser) -> None:
    for path in ("/projects/nobody", "/nowhere", "/projects/shop/nowhere"):
        answer = browser.page(path)
        assert answer.status_code == 404
        assert "That did not work" in answer.text


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_texts_are_inert(browser: Browser, shelf: Shelf, text: str) -> None:
    shelf.text, shelf.statuses, shelf.rows = text, [status("shop", last_error=text)], [row(text, exception=1)]
    shelf.deployed = [deployment("v2", text), deployment("v1", text), deployment(None, text)]
    for path in PAGES:
        page = browser.page(path)
        assert page.status_code == 200, page.text
        assert_inert(page.text, path)


@pytest.mark.parametrize("text", HOSTILE[:-2])
def test_what_a_filter_is_given_is_inert(browser: Browser, text: str) -> None:
    for page in ("calls", "logs", "audit"):
        query = urlencode(
            dict.fromkeys(("tool", "client", "kind", "text", "level", "release", "user", "period"), text),
            errors="replace",
        )
        assert_inert(browser.page(f"/projects/shop/{page}?{query}").text, page)


def assert_inert(html: str, path: str) -> None:
    for live in ("<script", "<img", "<b ", "99980001", 'href="javascript:', "\x1b", "\x00", "\u202e", "\u2066"):
        assert live not in html, (path, live)
    assert len(html) < 60_000 or path.endswith("build")


def test_a_list_of_twenty_projects_is_small(browser: Browser, shelf: Shelf) -> None:
    shelf.statuses = [status(f"project-{number}") for number in range(20)]
    assert len(browser.page("/").text) < 30_000


def test_files_are_small_and_kept_by_browsers(browser: Browser) -> None:
    shell = browser.http.get("/console").text
    paths = [part.split('"')[0] for part in shell.split('="')[1:] if part.startswith("/console/static/")]
    sizes = {}
    for path in paths:
        answer = browser.http.get(path)
        assert "immutable" in answer.headers["cache-control"]
        sizes[path.partition("-")[2]] = len(answer.content)
    assert sizes["console.js"] < 12_000
    assert sizes["console.css"] < 8192
    assert "//" not in shell.replace(ORIGIN, "")


def test_a_platform_loads_it_at_its_first_request_alone() -> None:
    script = "import sys, platform_cli.controlplane.serving; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "platform_cli.console.sessions" in loaded
    assert not {"platform_cli.console.app", "platform_cli.console.rendering", "platform_cli.console.pages"} & {*loaded}


def test_releases_are_compared_with_the_one_before_and_with_what_serves(
    shelf: Shelf, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.made = [release(4, "failed"), release(3, "inactive"), release(2, "active"), release(1, "inactive")]
    shelf.deployed = [deployment(each["release"]) for each in shelf.made]
    compared: list[tuple[int, int]] = []

    async def differences(_project: str, pairs: Collection[tuple[int, int]]) -> dict[tuple[int, int], ToolsDifference]:
        compared.extend(pairs)
        told: ToolsDifference = {
            "added": [], "removed": [], "required": [], "described": [], "breaking": False, "lines": [],
        }  # fmt: skip
        return {(old, new): {**told, "lines": [f"{old} to {new}"]} for old, new in pairs}

    monkeypatch.setattr(shelf, "differences", differences)
    page = browser.page("/projects/shop/releases").text
    assert sorted(compared) == [(1, 2), (2, 1), (2, 3)]
    assert [page.count(f"{old} to {new}") for old, new in ((1, 2), (2, 1), (2, 3))] == [1, 1, 2]
