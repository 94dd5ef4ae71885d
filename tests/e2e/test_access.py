"""Tests a project whose callers need its token."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients import environments
from tests.clients.matrix import client_env
from tests.support import SERVERS, CommandFailedError, Platform, with_config, with_packages

SERVER = SERVERS / "mcp2_lowlevel"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 1, "b": 2}}}


def status_of(url: str, token: str | None, path: str = "/mcp", method: str = "POST") -> tuple[int, str | None]:
    """Returns HTTP status and challenge of one call."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    if token is not None:
        headers["authorization"] = token
    connection.request(method, path, json.dumps(CALL) if method == "POST" else None, headers)
    response = connection.getresponse()
    found = response.status, response.headers.get("www-authenticate")
    connection.close()
    return found


def test_only_who_has_the_token_may_call(platform: Platform, tmp_path: Path) -> None:
    folder = with_config(SERVER, '[auth]\nmode = "token"\n', tmp_path)
    first = platform.run("deploy", str(folder), "--name", "guarded")
    url, token = first["url"], first["token"]

    for wrong in (None, "Bearer", "Bearer wrong", f"Basic {token}", f"Bearer {token}x", "Bearer \xff"):
        assert status_of(url, wrong) == (401, 'Bearer realm="homeport"'), wrong
    assert status_of(url, None, "/sse", "GET")[0] == 401
    assert status_of(url, None, "/messages/?session_id=0")[0] == 401
    assert status_of(url, None, "/health", "GET")[0] == 200
    assert status_of(url, f"Bearer {token}")[0] == 200
    assert status_of(url, f"bearer {token}")[0] == 200

    # The commands of this machine know it; nothing shows it again.
    assert platform.run("call", "guarded", "add", "a=1", "b=2")["content"][0]["text"] == "3"
    entry = platform.run("connect", "guarded", "--client", "cursor")["config"]["mcpServers"]["guarded"]
    assert entry["headers"] == {"Authorization": f"Bearer {token}"}
    bridge = platform.run("connect", "guarded", "--client", "claude-desktop")["config"]["mcpServers"]["guarded"]
    assert bridge["env"] == {"AUTHORIZATION": f"Bearer {token}"}
    assert token not in json.dumps([platform.run(*command) for command in (["status", "guarded"], ["list"])])

    # It stays through a deploy that says nothing of it, through a rollback, and through a restart.
    (folder / "fastmcp.toml").write_text("")
    again = platform.run("deploy", str(folder), "--name", "guarded")
    assert (again["release"], "token" in again) == ("v2", False)
    platform.run("rollback", "guarded", "v1")
    platform.stop()
    platform.run("platform", "start")
    assert status_of(url, None)[0] == 401
    assert status_of(url, f"Bearer {token}")[0] == 200

    renewed = platform.run("new-token", "guarded")["token"]
    assert status_of(url, f"Bearer {token}")[0] == 401
    assert status_of(url, f"Bearer {renewed}")[0] == 200

    (folder / "fastmcp.toml").write_text('[auth]\nmode = "none"\n')
    platform.run("deploy", str(folder), "--name", "guarded")
    assert status_of(url, None)[0] == 200
    with pytest.raises(CommandFailedError) as caught:
        platform.run("new-token", "guarded")
    assert caught.value.code == 2


def test_a_deploy_that_fails_makes_no_token(platform: Platform, tmp_path: Path) -> None:
    folder = with_config(SERVER, "", tmp_path)
    url = platform.deploy(folder, name="opened").url
    (folder / "fastmcp.toml").write_text('[auth]\nmode = "token"\n')
    good = (folder / "server.py").read_text()
    # It loads for inspection, and does not come up as a worker that serves.
    broken = 'import os, pathlib\nif pathlib.Path.cwd().parent.name == "opened":\n    raise RuntimeError("not here")\n'
    (folder / "server.py").write_text(broken + good)
    with pytest.raises(CommandFailedError):
        platform.deploy(folder, name="opened")
    assert status_of(url, None)[0] == 200
    # Nobody was told a token: the deploy that works makes one, and tells it.
    (folder / "server.py").write_text(good)
    token = platform.run("deploy", str(folder), "--name", "opened")["token"]
    assert (status_of(url, None)[0], status_of(url, f"Bearer {token}")[0]) == (401, 200)


def test_clients_with_the_token_in_their_headers(platform: Platform, tmp_path: Path) -> None:
    client_env("mcp2")
    folder = with_config(SERVER, '[auth]\nmode = "token"\n', tmp_path)
    answer = platform.run("deploy", str(folder), "--name", "clients")
    program = """
import asyncio, sys, httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

async def main(mcp_url, sse_url, token):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        for server in (streamable_http_client(mcp_url, http_client=http), sse_client(sse_url, headers=headers)):
            async with Client(server) as client:
                print((await client.call_tool("add", {"a": 1, "b": 2})).content[0].text)

asyncio.run(main(*sys.argv[1:]))
"""
    ran = environments.run_program("mcp2", program, answer["mcp_url"], answer["sse_url"], answer["token"])
    assert ran.split() == ["3", "3"]


def test_nothing_is_open_to_strangers_by_accident(tmp_path: Path) -> None:
    platform = Platform(with_packages(tmp_path / "home"))
    silent = with_config(SERVER, "", tmp_path / "silent")
    opened = with_config(SERVER, '[auth]\nmode = "none"\n', tmp_path / "opened")
    try:
        before, said = platform.deploy(silent, name="before"), platform.deploy(opened, name="said")
        assert status_of(before.url, None)[0] == 200
        # Nothing serves the public names on this machine; who reaches the ports stands for a stranger.
        with pytest.raises(CommandFailedError):
            platform.run("platform", "start", "--domain", "mcp.example.com")
        assert (status_of(before.url, None)[0], status_of(said.url, None)[0]) == (401, 200)
        assert platform.run("call", "before", "add", "a=1", "b=2")["content"][0]["text"] == "3"

        after = platform.run("deploy", str(silent), "--name", "after")
        status = platform.run("status", "after")
        local = status["local_url"]
        metadata = f'resource_metadata="{local}/.well-known/oauth-protected-resource/mcp"'
        assert (status["auth"], status_of(local, None)) == ("oauth", (401, f"Bearer {metadata}"))
        assert status_of(local, f"Bearer {after['token']}")[0] == 200
        assert [finding["kind"] for finding in after["findings"] if "token" in finding["text"]] == ["token"]
        assert "token" not in platform.run("deploy", str(silent), "--name", "after")

        platform.run("deploy", str(opened), "--name", "after")
        assert status_of(local, None)[0] == 200
        again = platform.run("deploy", str(silent), "--name", "after")
        assert (again["changed"], status_of(local, None)[0]) == (True, 401)
    finally:
        platform.stop()


CURIOUS = """
from mcp.server import MCPServer

mcp = MCPServer("curious")


@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b


class KeepsHeaders:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        with open("headers.txt", "a") as file:
            file.write(f"{scope.get('path')} {scope.get('headers')}\\n")
        await self.app(scope, receive, send)


app = mcp.streamable_http_app()
app.add_middleware(KeepsHeaders)
"""


def test_the_server_never_sees_the_token(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(CURIOUS)
    (tmp_path / "requirements.txt").write_text("mcp>=2\n")
    (tmp_path / "fastmcp.toml").write_text('[auth]\nmode = "token"\n')
    answer = platform.run("deploy", f"{tmp_path}/server.py:app", "--name", "curious")
    assert platform.run("call", "curious", "add", "a=1", "b=2")["content"][0]["text"] == "3"
    seen = (platform.home / "projects" / "curious" / "files" / "headers.txt").read_text()
    assert "/mcp [" in seen
    assert "authorization" not in seen
    assert answer["token"] not in seen
