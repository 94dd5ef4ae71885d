"""Tests client tokens, [scopes] and [limits] of a deployed project, as its callers meet them."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients import environments
from tests.clients.matrix import client_env
from tests.e2e.probing import wait_for
from tests.support import SERVERS, CommandFailedError, Platform, with_config

SERVER = SERVERS / "mcp2_lowlevel"
CONFIG = """
[auth]
mode = "token"
[scaling]
min = 3
max = 3
[scopes]
remember = "notes:write"
fail = false
"*" = "notes:read"
[scopes.implies]
"notes:write" = ["notes:read"]
[limits]
write = "10/minute"
timeout_s = 60
[limits.tools]
slow = { timeout_s = 0.5 }
[limits.clients]
many = { write = "1000/minute" }
"""


@pytest.fixture(scope="module")
def folder(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = with_config(SERVER, CONFIG, tmp_path_factory.mktemp("project"))
    platform.run("deploy", str(made), "--name", "notes")
    return made


@pytest.fixture(scope="module")
def url(platform: Platform, folder: Path) -> str:
    assert folder
    return str(platform.run("status", "notes")["url"])


def token(platform: Platform, client: str, *scopes: str) -> str:
    options = [word for scope in scopes for word in ("--scope", scope)]
    return str(platform.run("token", "create", "notes", "--client", client, *options)["token"])


def remember(text: str) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "remember", "arguments": {"text": text}},
    }


def ask(url: str, token: str, message: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    connection.request("POST", "/mcp", json.dumps(message), {**headers, "authorization": f"Bearer {token}"})
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def test_a_token_holds_for_running_workers_at_once_and_so_does_its_end(platform: Platform, url: str) -> None:
    wait_for(lambda: len(platform.api.status("notes")["processes"]) == 3)
    before = set(platform.api.status("notes")["processes"])
    made = platform.run("token", "create", "notes", "--client", "laptop", "--user", "alice", "--expires", "1h")
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    # Each worker is told by its own channel, which nobody waits for.
    wait_for(lambda: {ask(url, made["token"], ping)[0] for _ in range(12)} == {200})
    assert set(platform.api.status("notes")["processes"]) == before
    (listed,) = [each for each in platform.run("token", "list", "notes")["tokens"] if each["id"] == made["id"]]
    assert (listed["client"], listed["user"], listed["scopes"]) == ("laptop", "alice", None)
    assert 0 < listed["expires_at"] - listed["created_at"] <= 3600
    wait_for(lambda: platform.api.client_tokens("notes")[-1]["used_at"])
    platform.run("token", "revoke", "notes", made["id"])
    wait_for(lambda: {ask(url, made["token"], ping)[0] for _ in range(12)} == {401})
    assert set(platform.api.status("notes")["processes"]) == before
    assert made["token"] not in json.dumps(platform.run("token", "list", "notes"))


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--client", "x", "--scope", "notes:rite"), 2, "did you mean notes:write?"),
        (("--client", "a b"), 2, "no name of a client"),
        (("--client", "x", "--expires", "soon"), 2, "--expires 'soon' is not a time span"),
        (("--client", "x", "--expires", "0d"), 2, "a token ends in the future"),
        (("--client", "x", "--user", "a b"), 2, "no name of a user"),
    ],
)
def test_what_no_token_is_made_for(
    platform: Platform, url: str, options: tuple[str, ...], code: int, said: str
) -> None:
    assert url
    before = platform.run("token", "list", "notes")["tokens"]
    with pytest.raises(CommandFailedError) as caught:
        platform.run("token", "create", "notes", *options)
    assert caught.value.code == code
    assert said in caught.value.error["message"]
    assert platform.run("token", "list", "notes")["tokens"] == before


def test_forty_calls_at_once_over_three_workers_and_exactly_ten_reach_the_server(
    platform: Platform, folder: Path, url: str
) -> None:
    ours, others, reads = token(platform, "ours"), token(platform, "others"), token(platform, "reads", "notes:read")
    wait_for(lambda: len(platform.api.status("notes")["processes"]) == 3)

    def write(_number: int) -> int:
        return ask(url, ours, remember("x"))[0]

    with ThreadPoolExecutor(40) as pool:
        statuses = sorted(pool.map(write, range(40)))
    assert statuses == [200] * 10 + [429] * 30
    assert [ask(url, reads, remember("x"))[0] for _ in range(12)] == [403] * 12
    assert [ask(url, others, remember("x"))[0] for _ in range(11)] == [200] * 10 + [429]
    assert ask(url, "homeport_made-up", remember("x"))[0] == 401
    tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert {ask(url, ours, tools)[0] for _ in range(20)} == {200}
    # A deploy with the same limits forgets nothing.
    with (folder / "server.py").open("a") as file:
        file.write("\n# another release\n")
    assert platform.run("deploy", str(folder), "--name", "notes")["changed"]
    assert ask(url, ours, remember("x"))[0] == 429


PROGRAMS = {
    "mcp1": """
import asyncio, json, sys
from mcp import ClientSession, McpError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client

async def main(mcp_url, sse_url, token):
    headers = {"Authorization": f"Bearer {token}"}
    for client, url in ((streamablehttp_client, mcp_url), (sse_client, sse_url)):
        async with client(url, headers=headers) as (read, write, *_), ClientSession(read, write) as session:
            await session.initialize()
            try:
                await session.call_tool("remember", {"text": "x"})
            except McpError as refused:
                print(json.dumps([refused.error.code, refused.error.data["required_scope"]]))
            print((await session.call_tool("add", {"a": 1, "b": 2})).content[0].text)

asyncio.run(main(*sys.argv[1:]))
""",
    "mcp2": """
import asyncio, httpx2, json, sys
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

async def main(mcp_url, sse_url, token):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        for server in (streamable_http_client(mcp_url, http_client=http), sse_client(sse_url, headers=headers)):
            async with Client(server) as client:
                try:
                    await client.call_tool("remember", {"text": "x"})
                except MCPError as refused:
                    print(json.dumps([refused.error.code, refused.error.data["required_scope"]]))
                print((await client.call_tool("add", {"a": 1, "b": 2})).content[0].text)

asyncio.run(main(*sys.argv[1:]))
""",
    "fastmcp": """
import asyncio, json, sys
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StreamableHttpTransport

async def main(mcp_url, sse_url, token):
    headers = {"Authorization": f"Bearer {token}"}
    for transport in (StreamableHttpTransport(mcp_url, headers=headers), SSETransport(sse_url, headers=headers)):
        async with Client(transport) as client:
            try:
                await client.call_tool("remember", {"text": "x"})
            except Exception as refused:
                error = refused.error
                print(json.dumps([error.code, error.data["required_scope"]]))
            print((await client.call_tool("add", {"a": 1, "b": 2})).data or "3")

asyncio.run(main(*sys.argv[1:]))
""",
}
PROGRAMS["fastmcp3"] = PROGRAMS["fastmcp"]


@pytest.mark.parametrize(
    "client", ["mcp1", *(pytest.param(name, marks=pytest.mark.whole) for name in ("mcp2", "fastmcp", "fastmcp3"))]
)
def test_a_client_hears_which_scope_it_lacks_and_its_session_goes_on(platform: Platform, url: str, client: str) -> None:
    client_env(client)
    reads = token(platform, "reads", "notes:read")
    ran = environments.run_program(client, PROGRAMS[client], f"{url}/mcp", f"{url}/sse", reads)
    assert ran.split("\n")[:4] == ['[-32001, "notes:write"]', "3", '[-32001, "notes:write"]', "3"], ran


@pytest.mark.whole
def test_a_call_that_takes_too_long_is_answered_and_the_next_one_works(platform: Platform, url: str) -> None:
    client_env("mcp1")
    # It waits for a file that nobody makes.
    slow = '"slow", {"steps": 2, "token": "nobodys"}'
    program = PROGRAMS["mcp1"].replace('"remember", {"text": "x"}', slow).replace("required_scope", "reason")
    ran = environments.run_program("mcp1", program, f"{url}/mcp", f"{url}/sse", token(platform, "many"))
    assert ran.split("\n")[:4] == ['[-32000, "timeout"]', "3", '[-32000, "timeout"]', "3"], ran


@pytest.mark.whole
def test_a_message_that_is_too_large_is_answered_on_its_stream(platform: Platform, url: str) -> None:
    client_env("mcp1")
    program = PROGRAMS["mcp1"].replace('{"text": "x"}', '{"text": "x" * 5_000_000}').replace("required_scope", "reason")
    ran = environments.run_program("mcp1", program, f"{url}/mcp", f"{url}/sse", token(platform, "many"))
    assert ran.split("\n")[:4] == ['[-32600, "too_large"]', "3", '[-32600, "too_large"]', "3"], ran


def test_rules_are_checked_before_anything_is_served(
    platform: Platform, folder: Path, url: str, tmp_path: Path
) -> None:
    wrong = with_config(SERVER, CONFIG.replace("remember =", "rememver ="), tmp_path)
    with pytest.raises(CommandFailedError) as caught:
        platform.run("deploy", str(wrong), "--name", "notes")
    assert caught.value.code == 2
    line = (wrong / "fastmcp.toml").read_text().split("\n").index('rememver = "notes:write"') + 1
    assert caught.value.error["message"].startswith(
        f"fastmcp.toml:{line}: the server has no tool rememver; did you mean remember?"
    )
    text = CONFIG.replace('"*" = "notes:read"', 'add = "notes:read"')
    (wrong / "fastmcp.toml").write_text(text)
    with pytest.raises(CommandFailedError) as caught:
        platform.run("deploy", str(wrong), "--name", "notes")
    assert caught.value.code == 1
    assert "[scopes] says nothing of slow, release, recall, whoami" in caught.value.error["message"]
    reads = token(platform, "reads", "notes:read")
    assert ask(url, reads, remember("x"))[0] == 403, "what served before serves on"

    # Another release has other rules; a rollback brings the old ones back, and tokens outlive both.
    (folder / "fastmcp.toml").write_text(CONFIG.replace('remember = "notes:write"', 'remember = "notes:read"'))
    platform.run("deploy", str(folder), "--name", "notes")
    assert ask(url, reads, remember("x"))[0] == 200
    platform.run("rollback", "notes")
    assert ask(url, reads, remember("x"))[0] == 403

    # Without rules nobody could hold a token to its scopes.
    (folder / "fastmcp.toml").write_text(CONFIG.partition("[scopes]")[0])
    platform.run("deploy", str(folder), "--name", "notes")
    assert ask(url, reads, remember("x"))[0] == 401
    assert ask(url, token(platform, "all"), remember("x"))[0] == 200
