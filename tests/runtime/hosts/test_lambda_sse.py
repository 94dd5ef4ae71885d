"""HTTP+SSE over several instances: GET /sse and POST /messages/ of one session never meet in one sandbox."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws.function_url import FunctionURL
from tests.aws.mailbox import DynamoDB, dynamodb
from tests.aws.moto_server import moto
from tests.clients.environments import UnavailableError, run_program

from ...support import require
from .lambda_functions import lay_out

__all__ = ["dynamodb", "moto"]

TOKEN = "homeport_" + "t" * 43
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
    folder = tmp_path_factory.mktemp("function")
    variables = {
        **dynamodb.environment,
        "HOMEPORT_MAILBOX_TABLE": table,
        "HOMEPORT_TOKEN_HASH": hashlib.sha256(TOKEN.encode()).hexdigest(),
    }
    running = FunctionURL(lay_out(folder, SERVER, "mcp>=2", variables=variables), folder)
    running.freezes = True
    running.spread = 3
    yield running
    running.close()


def speak(client: str, program: str, front: FunctionURL) -> Any:
    try:
        return json.loads(run_program(client, program, f"{front.url}/sse", TOKEN))
    except UnavailableError as error:
        require(False, str(error))


def test_the_sdks_own_client_speaks_through_one_session(front: FunctionURL, table: str, dynamodb: DynamoDB) -> None:
    said = speak("mcp1", MCP1, front)
    assert said["in"] == 1
    assert said["last"] == "1000000"
    assert said["words"] == [*"012", *(f"b{number}" for number in range(40)), "x" * 9]
