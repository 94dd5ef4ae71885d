"""Tests the console as somebody uses it on a bad day, whole, in a headless Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.probing import wait_for
from tests.support import SERVERS, Platform, with_packages

from .chromium import Chromium, chromium

pytestmark = pytest.mark.whole

SERVER = """
from typing import Literal

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

mcp = MCPServer("shop")
PRICES = {"tea": 3, "cake": 4}


@mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
def price(what: Literal["tea", "cake"], count: int = 1) -> str:
    print(f"asked for {what}")
    return f"{PRICES[what] * count} euros"


mcp.run()
"""
BROKEN = SERVER.replace('"cake": 4', '"pie": 4')


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), "mcp2_mcpserver"))
    yield running
    running.stop()


def test_a_release_breaks_and_is_rolled_back(platform: Platform, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "requirements.txt").write_text("mcp>=2\n")

    def deploy(source: str) -> None:
        (shop / "server.py").write_text(source)
        platform.run("deploy", str(shop), "--name", "shop")

    # Two servers are deployed and called.
    deploy(SERVER)
    platform.run("deploy", str(SERVERS / "mcp2_lowlevel"), "--name", "notes")
    platform.run("call", "shop", "price", "what=cake")
    platform.run("call", "notes", "add", "a=1", "b=2")

    with chromium() as browser:
        browser.run(f"await page.goto({json.dumps(platform.run('console')['url'])})")
        browser.wait("main a.row:text-is('shop')")
        browser.wait("main a.row:text-is('notes')")

        # A log is open while one of them is broken by its next release.
        open_tab(browser, "shop", "Logs")
        browser.wait("#tail:text-is('live')")
        deploy(BROKEN)
        fill_in(browser, choice="cake", count="9")
        browser.wait("#events .notice.bad")

        # The group of errors says where, and which release has brought it.
        wait_for(lambda: platform.api.errors("shop"))
        open_tab(browser, "shop", "Errors")
        browser.run("await page.locator('main a.row').click()")
        browser.wait("pre.source")
        assert "PRICES[what]" in browser.text("pre.source .bad")
        told = browser.text("main")
        assert "KeyError" in told
        assert "v2" in told

        # Back to the release before, from the page, and it works again.
        open_tab(browser, "shop", "Releases")
        browser.run("await page.locator('button[data-opens]:text-is(\"Roll back to v1\")').click()")
        browser.run("await page.locator('dialog[open] button.main').click()")
        browser.wait("#status:has-text('shop serves v1')")
        fill_in(browser, choice="cake", count="2")
        browser.wait("pre.text:text-is('8 euros')")

        # The log, which is followed, shows the calls of others.
        open_tab(browser, "shop", "Logs")
        browser.wait("#tail:text-is('live')")
        platform.run("call", "shop", "price", "what=tea")
        browser.wait(".log li:has-text('asked for tea')")
        call = "return await page.locator('.log li:has-text(\"tools/call price: ok\")').last().innerText()"
        assert "price" in browser.run(call)

        seen = browser.run("return { ...seen, origins: [...new Set(seen.origins)].length }")
        assert seen == {"dialogs": [], "problems": [], "origins": 1}


def open_tab(browser: Chromium, project: str, tab: str) -> None:
    """Opens a page of a project by its links, from wherever the browser is."""
    browser.run("await page.locator('a.brand').click(); await page.locator('main a.row').first().waitFor()")
    browser.run(f"await page.locator(`main a.row:text-is({json.dumps(project)})`).click()")
    browser.run(f"await page.locator(`.tabs a:text-is({json.dumps(tab)})`).click()")
    browser.wait(f".tabs a[aria-current]:text-is('{tab}')")


def fill_in(browser: Chromium, choice: str, count: str) -> None:
    """Fills in the form of the shop's tool, and sends it."""
    open_tab(browser, "shop", "Try")
    browser.wait("#try[data-is-ready]")
    browser.run(f"await page.getByLabel('what', {{ exact: true }}).selectOption({{ label: {json.dumps(choice)} }})")
    browser.run(f"await page.getByLabel('count', {{ exact: true }}).fill({json.dumps(count)})")
    browser.run("await page.getByRole('button', { name: 'Send' }).click()")
