"""Tests programs that people use, whole: Claude Code, mcp-remote, and consent in a browser through a real Caddy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients import environments
from tests.e2e.probing import wait_for
from tests.e2e.test_public_host import running_caddy
from tests.support import SERVERS, Platform, free_port, require, with_config, with_packages

from .claude_code import ClaudeCode, ended_in_time, programs
from .inspector import Inspector
from .person import Person
from .test_clients import CONFIG, command, scopes_of

pytestmark = pytest.mark.whole

SERVER = SERVERS / "mcp2_lowlevel"
SIGN_IN = '[auth]\nmode = "oauth"\n'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def node() -> environments.Node:
    return programs()


def test_claude_code(platform: Platform, tmp_path: Path) -> None:
    answer = platform.run("deploy", str(with_config(SERVER, SIGN_IN, tmp_path)), "--name", "claude")
    claude = ClaudeCode(tmp_path, os.environ)
    claude.mcp("add", "--transport", "http", "notes", answer["mcp_url"])
    assert "Needs authentication" in claude.mcp("list")
    claude.sign_in("notes", Person(platform))
    assert "Connected" in claude.mcp("list")
    (listed,) = platform.run("users", "list", "claude")["users"]
    assert (listed["user"], listed["client"]) == ("owner", "Claude Code (notes)")


def test_mcp_remote_signs_in_and_asks_for_more(platform: Platform, node: environments.Node, tmp_path: Path) -> None:
    answer = platform.run("deploy", str(with_config(SERVER, CONFIG, tmp_path)), "--name", "remote")
    proxy = node.folder / "node_modules" / "mcp-remote" / "dist" / "proxy.js"
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "MCP_REMOTE_CONFIG_DIR": str(tmp_path / "kept"),
        "BROWSER": "true",
    }
    said = tmp_path / "said"
    with said.open("w") as stderr:
        process = subprocess.Popen(
            [node.program, proxy, answer["mcp_url"]],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert process.stdin
    assert process.stdout
    with ended_in_time(process):
        person = Person(platform)
        person.go_through(page_of(said, 0))
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        for message in (
            {"id": 1, "method": "initialize", "params": client},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": {"name": "whoami", "arguments": {}}},
            {"id": 3, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}},
        ):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert answers[1]["result"]["content"][0]["text"].split()
        more = page_of(said, 1)
        assert scopes_of(more) == {"numbers:read", "numbers:write"}
        person.go_through(more)
        assert json.loads(process.stdout.readline())["result"]["content"][0]["text"] == "3"


def page_of(said: Path, number: int) -> str:
    """Returns a page that mcp-remote asks a person to open, the first one with number 0."""

    def pages() -> list[str]:
        found = re.findall(r"http://127\.0\.0\.1:\d+/authorize\?\S+(?=\s)", said.read_text())
        return list(dict.fromkeys(found))

    wait_for(lambda: len(pages()) > number)
    return pages()[number]


def test_inspector(platform: Platform, tmp_path: Path) -> None:
    """It steps up in its browser alone; its command line has one connection for each call."""
    answer = platform.run("deploy", str(with_config(SERVER, SIGN_IN, tmp_path)), "--name", "inspected")
    page, text = Inspector(answer["mcp_url"], tmp_path, os.environ).call("whoami", Person(platform))
    assert text.split()
    assert "client_id=mcp-inspector-" in page


def test_consent_in_a_browser_through_caddy(node: environments.Node, tmp_path_factory: pytest.TempPathFactory) -> None:
    require(CHROMIUM, "chromium is not installed")
    folder = tmp_path_factory.mktemp("public")
    platform = Platform(with_packages(folder / "home"))
    platform.run("platform", "start")
    domain = f"mcp.localhost:{free_port()}"
    with running_caddy(platform, folder / "caddy") as authority:
        try:
            platform.run("platform", "start", "--domain", domain)
            # Nobody has said who may call: those who sign in.
            answer = platform.run("deploy", str(SERVER), "--name", "public")
            assert (answer["auth"], answer["mcp_url"]) == ("oauth", f"https://public.{domain}/mcp")
            client = subprocess.Popen(
                command("mcp2", answer["mcp_url"], finds_localhost=True),
                env={**os.environ, "SSL_CERT_FILE": str(authority)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert client.stdin
            assert client.stdout
            with ended_in_time(client):
                page = json.loads(client.stdout.readline())["open"]
                assert page.startswith(f"https://{domain}/authorize?")
                consent = subprocess.Popen(
                    [node.program, node.scripts / "consent.mjs", str(CHROMIUM), page], stdout=subprocess.PIPE, text=True
                )
                assert consent.stdout
                with ended_in_time(consent):
                    platform.run("approve", consent.stdout.readline().split()[-1])
                    client.stdin.write(consent.stdout.readline())
                    client.stdin.flush()
                    seen = json.loads(consent.stdout.readline())
                assert json.loads(client.stdout.readline())["texts"][1] == "3"
            assert [name.startswith("__Host-homeport-") for name in seen["cookies"]] == [True]
            # The frame was refused, and nothing else was.
            assert all("frame" in problem.lower() for problem in seen["problems"]), seen["problems"]
            assert seen["problems"]
        finally:
            platform.stop()
