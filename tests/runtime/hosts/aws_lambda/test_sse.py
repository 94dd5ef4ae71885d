"""Tests HTTP+SSE over several instances: GET /sse and POST /messages/ of one session never meet in one sandbox."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.hosts.aws_lambda.state_key import KEY
from tests.aws.function_url import FunctionURL
from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto
from tests.aws.sandbox import DEADLINE_S
from tests.clients.environments import UnavailableError, run_program

from ....support import require
from ...conftest import JSON, Reply, call, message
from .lambda_functions import lay_out
from .test_host import request

pytestmark = pytest.mark.whole

__all__ = ["dynamodb", "moto"]

TOKEN = "homeport_" + "t" * 43
TOKEN_HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
AUTHORIZATION = {"authorization": f"Bearer {TOKEN}"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
SERVER = """
import os
from mcp.server import MCPServer

mcp = MCPServer("apart")
seen = []

# Not in a thread: those may overtake each other.
@mcp.tool()
async def note(word: str) -> str:
    seen.append(word)
    return f"{os.getpid()} {len(word)}"

@mcp.tool()
def notes() -> list[str]:
    return seen
"""
# Speaks through one session, and prints what it was answered.
MCP1 = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.sse import sse_client

url, token = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}"}

async def main():
    async with sse_client(url, headers=headers) as streams, ClientSession(*streams) as session:
        await session.initialize()

        async def note(word):
            answer = await session.call_tool("note", {"word": word})
            assert not answer.isError, answer
            return answer.content[0].text.split()

        answers = [await note(str(number)) for number in range(3)]
        answers += await asyncio.gather(*(note(f"b{number}") for number in range(40)))
        answers.append(await note("x" * 1_000_000))
        listed = await session.call_tool("notes", {})
        words = [content.text[:9] for content in listed.content]
        print(json.dumps({"in": len({one for one, _ in answers}), "last": answers[-1][1], "words": words}))

asyncio.run(main())
"""
FASTMCP = """
import asyncio, json, sys
from fastmcp import Client
from fastmcp.client.transports import SSETransport

url, token = sys.argv[1:]

async def main():
    async with Client(SSETransport(url, headers={"Authorization": f"Bearer {token}"})) as client:
        for number in range(3):
            await client.call_tool("note", {"word": str(number)})
        listed = await client.call_tool("notes", {})
        print(json.dumps([tool.name for tool in await client.list_tools()] + listed.structured_content["result"]))

asyncio.run(main())
"""


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


@pytest.fixture(scope="module")
def table(dynamodb: DynamoDB) -> str:
    return dynamodb.table()


@pytest.fixture(scope="module")
def front(dynamodb: DynamoDB, table: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionURL]:
    running = deployed(dynamodb, table, tmp_path_factory.mktemp("function"))
    running.spread = 3
    yield running
    running.close()


def deployed(dynamodb: DynamoDB, table: str, folder: Path, timeout_s: float = 60) -> FunctionURL:
    variables = {
        **dynamodb.environment,
        "HOMEPORT_MAILBOX_TABLE": table,
        "HOMEPORT_TOKEN_HASH": TOKEN_HASH,
    }
    return FunctionURL(lay_out(folder, SERVER, "mcp>=2", variables=variables, timeout_s=timeout_s), folder)


def speak(client: str, program: str, front: FunctionURL) -> Any:
    try:
        return json.loads(run_program(client, program, f"{front.url}/sse", TOKEN))
    except UnavailableError as error:
        require(False, str(error))


@contextmanager
def session(front: FunctionURL) -> Iterator[tuple[Reply, str]]:
    """Opens an initialized session, and yields its stream and where to post."""
    with request(front, "GET", "/sse", headers=AUTHORIZATION) as stream:
        path = stream.event()[1]
        assert post(front, path, message("initialize", HELLO, 0)) == 202
        assert stream.next()["id"] == 0
        assert post(front, path, {"jsonrpc": "2.0", "method": "notifications/initialized"}) == 202
        yield stream, path


def post(front: FunctionURL, path: str, body: JSON, headers: JSON = AUTHORIZATION) -> int:
    with request(front, "POST", path, json.dumps(body).encode(), headers) as reply:
        reply.raw.read()
        return reply.status


def test_the_sdks_own_client_speaks_through_one_session(front: FunctionURL) -> None:
    said = speak("mcp1", MCP1, front)
    assert said["in"] == 1
    assert said["last"] == "1000000"
    assert said["words"] == [*"012", *(f"b{number}" for number in range(40)), "x" * 9]


def test_fastmcps_client_speaks_through_one_session(front: FunctionURL) -> None:
    assert speak("fastmcp", FASTMCP, front)[:2] == ["note", "notes"]


def test_who_posts_needs_the_token_and_a_session(front: FunctionURL) -> None:
    assert post(front, "/messages/?session_id=" + "0" * 32, call("notes")) == 404
    with session(front) as (stream, path):
        assert post(front, path, call("notes"), {}) == 401
        assert post(front, path, call("notes", request_id=5)) == 202
        assert stream.next()["id"] == 5
        assert post(front, path, {"jsonrpc": "1", "id": 6, "method": "tools/call"}) == 202
        assert (refused := stream.next())["id"] == 6
        assert refused["error"]["code"] == -32600


def test_a_sender_that_dies_with_a_number_holds_nobody_back(
    front: FunctionURL, dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str, body: bytes) -> bool:
        if name != "PutItem" or b'"m0000' not in body:
            return True
        sandbox = front.answers[-1].sandbox
        assert sandbox is not None
        sandbox.process.kill()
        return False

    with session(front) as (stream, path):
        monkeypatch.setattr(dynamodb, "before", die)
        assert post(front, path, call("note", request_id=1, word="lost")) == 502
        monkeypatch.undo()
        assert post(front, path, call("note", request_id=2, word="behind")) == 202
        assert stream.next()["id"] == 2


def test_a_session_whose_stream_has_ended_is_unknown(dynamodb: DynamoDB, tmp_path: Path) -> None:
    table = dynamodb.table()
    front = deployed(dynamodb, table, tmp_path, timeout_s=12)
    front.spread = 2
    try:
        # The function's time limit is for the session, and not for two starts on a busy machine.
        for sandbox in (front.sandbox(), front.sandbox()):
            sandbox.ready.wait(DEADLINE_S)
        with session(front) as (stream, path):
            assert b"retry: " in stream.raw.read()
        assert post(front, path, call("notes")) == 404
        assert [item for item in dynamodb.items(table) if item["pk"]["S"] != KEY["pk"]] == []
    finally:
        front.close()


def test_a_session_asks_for_no_key(dynamodb: DynamoDB, tmp_path: Path) -> None:
    own = DynamoDB(dynamodb.moto)
    table = own.table()
    front = deployed(own, table, tmp_path)
    try:
        with request(front, "GET", "/sse", headers=AUTHORIZATION) as stream:
            assert stream.event()[0] == "endpoint"
            assert own.calls[0] == "PutItem", "nothing is sealed: the table is asked for the session alone"
            assert "salt" not in str(own.items(table))
    finally:
        front.close()
        own.close()
