"""Tests the console whole, in a headless Chromium: what a person does there, and what other pages try."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.probing import HEADERS, wait_for
from tests.e2e.test_public_host import running_caddy
from tests.support import SERVERS, CommandFailedError, Platform, free_port, with_packages

from .chromium import Chromium, chromium
from .conftest import HOSTILE

pytestmark = pytest.mark.whole

SERVER = """
import os
from mcp.server import MCPServer

mcp = MCPServer("shop")


@mcp.tool()
def say(text: str) -> str:
    print(text)
    return text


@mcp.tool()
def crash(text: str = "no such key") -> str:
    return {}[text]


@mcp.tool()
def forge() -> None:
    record = b'"time":8e9,"level":"info","message":"a forged record","request":"\\\\ud800","more":{"a":[1]}'
    os.write(1, b"\\x1e{" + record + b"}\\n")


mcp.run()
"""
# A name that is longer than a phone is wide.
NEWER = SERVER.replace("def say(", "def tell_everyone_who_is_there_and_who_listens_to_it(")
# Of a text of a megabyte the log has what it has of every text.
TEXTS = [text for text in HOSTILE if len(text) < 1000 and text.isprintable()]
PAGES = ("", "/calls", "/logs", "/errors?state=all", "/releases", "/access", "/audit", "/secrets")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), "mcp2_mcpserver"))
    folder = tmp_path_factory.mktemp("shop")
    (folder / "requirements.txt").write_text("mcp>=2\n")
    for source in (SERVER, NEWER, SERVER):
        (folder / "server.py").write_text(source)
        running.run("deploy", str(folder), "--name", "shop")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(platform: Platform) -> Iterator[Chromium]:
    """Returns a browser that is signed in."""
    with chromium() as opened:
        opened.run(f"await page.goto({json.dumps(platform.run('console')['url'])})")
        opened.wait("main table")
        yield opened


@pytest.fixture(scope="module")
def origin(platform: Platform) -> str:
    found: str = platform.run("platform", "status")["api_url"]
    return found


def open_page(browser: Chromium, origin: str, path: str) -> None:
    browser.run(f"await page.goto({json.dumps(f'{origin}/console{path}')})")
    browser.wait("main h1")


def test_a_link_signs_one_browser_in(browser: Chromium, platform: Platform, origin: str) -> None:
    link = platform.run("console")["url"]
    browser.run(f"await page.goto({json.dumps(link)})")
    browser.wait("main table")
    assert "shop" in browser.text("main")
    here = "return [location.href, document.cookie, (await cookieStore.getAll()).length, document.title]"
    where = browser.run(f"return await page.evaluate(async () => {{ {here} }})")
    assert where == [f"{origin}/console", "", 0, "Projects · homeport"]
    # Another browser, to which the link was sent on.
    said = browser.run(
        "const other = await context.browser().newContext(); const late = await other.newPage();"
        f"await late.goto({json.dumps(link)}); await late.waitForSelector('#why');"
        "const said = await late.locator('main').innerText(); await other.close(); return said"
    )
    assert "was used, or is too old" in said
    assert "homeport console" in said


def test_by_keyboard_from_the_projects_to_a_log(browser: Chromium, origin: str) -> None:
    open_page(browser, origin, "")
    browser.run("await page.locator('main a.row').focus(); await page.keyboard.press('Enter')")
    browser.wait(".tabs a[aria-current=page]")
    assert browser.text(".tabs a[aria-current=page]") == "Overview"
    browser.run("await page.keyboard.press('3')")
    browser.wait("[role=log]")
    assert browser.run("return page.url()") == f"{origin}/console/projects/shop/logs"
    browser.run("await page.keyboard.press('/')")
    assert browser.run("return await page.evaluate(() => document.activeElement.name)") == "text"
    browser.run("await page.goBack()")
    browser.wait(".numbers, .empty")


def test_a_log_goes_on_and_pauses(browser: Chromium, origin: str, platform: Platform) -> None:
    open_page(browser, origin, "/projects/shop/logs")
    browser.wait("#tail:text-is('live')")
    platform.run("call", "shop", "say", "text=the first line")
    browser.wait(".log li:has-text('the first line')")
    browser.run("await page.click('#pause')")
    platform.run("call", "shop", "say", "text=the second line")
    browser.wait("#tail:has-text('new')")
    assert "the second line" not in browser.text(".log")
    browser.run("await page.click('#pause')")
    browser.wait(".log li:has-text('the second line')")
    # What the platform selects is all that comes.
    browser.run("await page.fill('input[name=text]', 'THE FIRST'); await page.keyboard.press('Enter')")
    browser.wait(".log li:has-text('the first line')")
    assert "the second line" not in browser.text(".log")
    # A line leads to its call.
    browser.run("await page.click('.log li a')")
    browser.wait("main dl.facts")
    assert "say" in browser.text("main h2")


def test_numbers_come_by_themselves(browser: Chromium, origin: str, platform: Platform) -> None:
    open_page(browser, origin, "")
    before = browser.text("tbody td.number >> nth=0")
    platform.run("call", "shop", "say", "text=one more")
    browser.run("await page.mouse.click(5, 300)")
    browser.run(
        "await page.waitForFunction((before) =>"
        f" document.querySelector('tbody td.number').innerText !== before, {json.dumps(before)})"
    )


def test_rolls_back_after_asking(browser: Chromium, origin: str, platform: Platform) -> None:
    open_page(browser, origin, "/projects/shop/releases")
    button = "button[data-opens]:text-is('Roll back to v2')"
    browser.run(f"await page.click({json.dumps(button)})")
    assert "+ tell_everyone" in browser.text("dialog[open]")
    browser.run("await page.click('dialog[open] button:text-is(\"Cancel\")')")
    assert platform.api.status("shop")["release"] == "v3"
    browser.run(f"await page.click({json.dumps(button)}); await page.click('dialog[open] button.main')")
    browser.wait("#status:has-text('shop serves v2')")
    assert platform.api.status("shop")["release"] == "v2"
    assert "active" in browser.text(".card:has(h2:text-is('v2'))")
    platform.run("rollback", "shop", "v3")


def test_an_error_is_resolved(browser: Chromium, origin: str, platform: Platform) -> None:
    with suppress(CommandFailedError):
        platform.run("call", "shop", "crash")
    wait_for(lambda: platform.api.errors("shop"))
    open_page(browser, origin, "/projects/shop/errors")
    browser.run("await page.click('main a.row')")
    browser.wait("pre.source")
    assert "return {}[text]" in browser.text("pre.source .bad")
    browser.run("await page.click('button:text-is(\"Resolve\")')")
    browser.wait(".state:has-text('resolved')")
    assert platform.api.errors("shop")[0]["state"] == "resolved"


def test_strangers_texts_do_nothing(browser: Chromium, origin: str, platform: Platform) -> None:
    url = platform.api.status("shop")["mcp_url"]
    for text in TEXTS:
        for tool in ("say", "crash", text):
            call(url, tool, text)
    wait_for(lambda: len(platform.api.errors("shop")) >= 1)
    platform.run("call", "shop", "forge")
    browser.run("seen.problems.length = seen.dialogs.length = seen.origins.length = 0")
    for page in PAGES:
        open_page(browser, origin, f"/projects/shop{page}")
        if page == "/logs":
            browser.wait(".log li:has-text('data-opens')")
            browser.wait(".log li:has-text('a forged record')")
    assert browser.run("return await page.title()") == "shop Secrets · homeport"
    seen = browser.run("return { ...seen, origins: [...new Set(seen.origins)] }")
    assert seen == {"dialogs": [], "problems": [], "origins": [origin]}
    assert (
        browser.run("return await page.evaluate(() => document.querySelectorAll('main img, main script').length)") == 0
    )


def call(url: str, tool: str, text: str) -> None:
    params = {
        "name": tool,
        "arguments": {"text": text},
        "_meta": {"io.modelcontextprotocol/clientInfo": {"name": text, "version": "1"}},
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, HEADERS)) as answer:
        answer.read()


@pytest.mark.parametrize("width", [390, 900, 1440])
def test_no_page_is_wider_than_the_window(browser: Chromium, origin: str, width: int) -> None:
    browser.run(f"await page.setViewportSize({{ width: {width}, height: 900 }})")
    for page in ("", "/settings", *(f"/projects/shop{each}" for each in PAGES)):
        open_page(browser, origin, page)
        wider = browser.run("return await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)")
        assert wider <= 0, page


def test_every_control_has_a_name(browser: Chromium, origin: str) -> None:
    for page in ("", "/settings", *(f"/projects/shop{each}" for each in PAGES)):
        open_page(browser, origin, page)
        nameless = browser.run(
            "return await page.evaluate(() => [...document.querySelectorAll('a, button, input, select')]"
            ".filter((each) => !(each.labels?.[0] ?? each).textContent.trim() && !each.ariaLabel)"
            ".map((each) => each.outerHTML))"
        )
        assert nameless == [], page
        assert browser.run("return await page.locator('h1').count()") == 1


PROBES = """
const tried = {};
const probe = async (name, work) => { try { tried[name] = await work(); } catch (error) { tried[name] = error.name; } };
const at = CONSOLE;
await probe("read", async () => (await fetch(`${at}/console`)).status);
await probe("read with credentials", async () => (await fetch(`${at}/console/f/`, { credentials: "include" })).status);
await probe("read with a key", async () =>
  (await fetch(`${at}/v1/projects`, { headers: { authorization: "Bearer x" } })).status);
await probe("post", async () => (await fetch(`${at}/console/login`, { method: "POST", body: "{}" })).status);
await probe("post blindly", async () => {
  const answer = await fetch(`${at}/v1/projects/shop/rollback`, { method: "POST", mode: "no-cors", body: "{}" });
  return answer.type;
});
await probe("frame", () => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.src = `${at}/console`;
  frame.onload = () => done("loaded");
  document.body.append(frame);
}));
await probe("window", async () => {
  const opened = window.open(`${at}/console`);
  await new Promise((done) => setTimeout(done, 1000));
  return opened === null || opened.closed ? "cut off" : opened.document.title;
});
return tried;
"""


@contextmanager
def other_port(folder: Path) -> Iterator[str]:
    """Serves an empty page on another port of loopback, as a deployed server could."""
    (folder / "index.html").write_text("<!doctype html><title>other</title>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def probe(browser: Chromium, page: str, origin: str) -> dict[str, object]:
    """Returns what a page of another origin gets of the console, but the frame, which is none of the console's."""
    script = PROBES.replace("CONSOLE", json.dumps(origin))
    tried: dict[str, object] = browser.run(
        f"await page.goto({json.dumps(page)});"
        f"const tried = await page.evaluate(async () => {{ {script} }});"
        "tried.frame = await page.frames()[1].evaluate(() => document.body.innerText); return tried"
    )
    browser.run("for (const each of context.pages()) if (each !== page) await each.close()")
    assert "homeport" not in str(tried.pop("frame"))
    return tried


NOTHING = {
    "read": "TypeError",
    "read with credentials": "TypeError",
    "read with a key": "TypeError",
    "post": "TypeError",
    # Whatever is sent there has no key.
    "post blindly": "opaque",
    "window": "cut off",
}


def test_a_page_on_another_port_gets_nowhere(
    browser: Chromium, origin: str, platform: Platform, tmp_path: Path
) -> None:
    with other_port(tmp_path) as other:
        assert probe(browser, other, origin) == NOTHING
    assert platform.api.status("shop")["release"] == "v3"


PAGE_SERVER = """
import os
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route


async def page(request):
    return HTMLResponse("<!doctype html><title>evil</title>")


mcp = MCPServer("evil")


@mcp.tool()
def nothing() -> None:
    pass


served = mcp.streamable_http_app()
app = Starlette(routes=[Route("/page", page), Mount("/", app=served)], lifespan=served.router.lifespan_context)
"""


def test_a_servers_own_name_beside_the_platforms_gets_nowhere(tmp_path: Path) -> None:
    """On the public domain a deployed server is of the same site as the console, and of another origin."""
    platform = Platform(with_packages(tmp_path / "home", "asgi"))
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "server.py").write_text(PAGE_SERVER)
    (folder / "requirements.txt").write_text((SERVERS / "asgi" / "requirements.txt").read_text())
    (folder / "fastmcp.toml").write_text('[deployment]\nentrypoint = "server.py:app"\n\n[auth]\nmode = "none"\n')
    platform.run("platform", "start")
    domain = f"mcp.localhost:{free_port()}"
    with running_caddy(platform, tmp_path / "caddy"), chromium() as browser:
        try:
            platform.run("platform", "start", "--domain", domain)
            platform.run("deploy", str(folder), "--name", "evil")
            link = platform.run("console")["url"]
            assert link.startswith(f"https://{domain}/console#login=")
            browser.run(f"await page.goto({json.dumps(link)})")
            browser.wait("main table")
            assert domain in browser.text("main")
            assert probe(browser, f"https://evil.{domain}/page", f"https://{domain}") == NOTHING
        finally:
            platform.stop()


def test_a_revoked_key_signs_out_and_ends_the_log(browser: Chromium, origin: str, platform: Platform) -> None:
    open_page(browser, origin, "/projects/shop/logs")
    browser.wait("#tail:text-is('live')")
    for each in platform.run("platform", "token", "list")["tokens"]:
        platform.run("platform", "token", "revoke", each["name"])
    browser.wait("#why:has-text('has ended')")
    assert browser.run("return await page.evaluate(() => localStorage.length)") == 0
