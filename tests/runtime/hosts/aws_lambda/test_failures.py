"""Tests what goes wrong in a function: whose error it is, and where it is told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.function_url import FunctionURL, make_event
from tests.aws.sandbox import DEADLINE_S, PRELUDE_END, Answer

from ....support import require
from ...conftest import BOTH, JSON, call, wait_for
from ...workers import MCP2, REQUIREMENTS
from .lambda_functions import lay_out
from .test_host import ASGI

FRAMEWORKS = {
    "fastmcp2": "from fastmcp import FastMCP\nmcp = FastMCP('ends')\n",
    "fastmcp4": "from fastmcp import FastMCP\nmcp = FastMCP('ends')\n",
    "mcp1_fastmcp": "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('ends')\n",
    "mcp2_mcpserver": MCP2,
}
ENDS = """
import asyncio, os, sys

@mcp.tool()
async def leave() -> str:
    sys.exit("I leave")

@mcp.tool()
def leave_thread() -> str:
    raise KeyboardInterrupt

@mcp.tool()
async def leave_behind() -> str:
    async def inner():
        sys.exit(3)
    asyncio.get_running_loop().create_task(inner())
    await asyncio.sleep(3600)
    return ""

@mcp.tool()
def who() -> str:
    return f"{os.getpid()} {os.environ.get('_X_AMZN_TRACE_ID', '')}"
"""
EXIT = '    if scope["path"] == "/exit":\n        raise SystemExit(3)\n'
RAISES = ASGI.replace('    body = (await receive())["body"]\n', EXIT)


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


@pytest.fixture
def fronts(tmp_path: Path) -> Iterator[Any]:
    running: list[FunctionURL] = []

    def deploy(source: str, *requirements: str, **more: Any) -> FunctionURL:
        running.append(FunctionURL(lay_out(tmp_path, source, *requirements, **more), tmp_path))
        return running[-1]

    yield deploy
    for front in running:
        front.close()


def finish(answer: Answer) -> list[bytes]:
    """Returns all that came of one event."""
    chunks = []
    assert answer.sandbox is not None
    answer.sandbox.ready.wait(DEADLINE_S)
    while not answer.sandbox.init_error and (chunk := answer.chunks.get(timeout=DEADLINE_S)) is not None:
        chunks.append(chunk)
    return chunks


def call_alone(front: FunctionURL, tool: str) -> JSON:
    """Returns the answer to a call that has ended: with the next event its sandbox is free."""
    body = b"".join(finish(front.invoke(make_event("POST", "/mcp", BOTH, json.dumps(call(tool, tool)).encode()))))
    (line,) = (line for line in body.partition(PRELUDE_END)[2].splitlines() if b'"jsonrpc"' in line)
    answer: JSON = json.loads(line.removeprefix(b"data: "))
    return answer


def records(front: FunctionURL) -> list[JSON]:
    """Returns the records of the log, without those of telemetry; each line must be one."""
    lines = [json.loads(line) for line in front.log.read_text().splitlines()]
    return [line for line in lines if "message" in line]


@pytest.mark.parametrize("kind", FRAMEWORKS)
def test_a_tool_that_ends_the_process_fails_alone(fronts: Any, kind: str) -> None:
    front = fronts(FRAMEWORKS[kind] + ENDS, REQUIREMENTS[kind])
    before = call_alone(front, "who")["result"]["content"][0]["text"]
    for tool in ("leave", "leave_thread"):
        answer = call_alone(front, tool)
        assert answer["id"] == tool
        assert "error" in answer or answer["result"]["isError"]
        after = call_alone(front, "who")["result"]["content"][0]["text"]
        assert after.split()[0] == before.split()[0], "the same process"
    assert "Root=1-" in after
    assert any("SystemExit" in record["message"] for record in records(front))
    assert any(
        "Traceback" in record["message"] and "sys.exit(" in record["message"] and record["request"]
        for record in records(front)
        if record["level"] == "error"
    ), "with its traceback, in one piece"


def test_what_ends_the_event_loop_is_the_error_of_that_event_and_of_no_other(fronts: Any) -> None:
    front = fronts(FRAMEWORKS["mcp2_mcpserver"] + ENDS, "mcp>=2")
    answer = front.invoke(make_event("POST", "/mcp", BOTH, json.dumps(call("leave_behind")).encode()))
    finish(answer)
    assert answer.error is not None
    wait_for(lambda: answer.sandbox.process.poll() is not None)
    assert call_alone(front, "who")["result"]["content"], "in another sandbox"
    assert any("SystemExit: 3" in record["message"] for record in records(front))


def test_an_apps_exit_is_the_error_of_that_request(fronts: Any) -> None:
    front = fronts(RAISES, "mcp>=2")
    for _ in range(2):
        answer = front.invoke(make_event("GET", "/exit", {}, b""))
        assert finish(answer) == []
        assert answer.error is not None and answer.error["errorType"] == "EndedItself"
    assert len(front.sandboxes) == 1


@pytest.mark.parametrize("path", ["/early", "/late"])
def test_an_exception_that_ends_a_call_is_one_line_of_the_log(fronts: Any, path: str) -> None:
    front = fronts(RAISES, "mcp>=2")
    finish(front.invoke(make_event("GET", path, {}, b"")))
    (record,) = (record for record in records(front) if "RuntimeError" in record["message"])
    assert record["level"] == "error"
    assert ("in app\n    raise RuntimeError(" in record["message"], "Traceback" in record["message"]) == (True, True)


def test_why_a_server_does_not_start_is_one_line_of_the_log(fronts: Any) -> None:
    front = fronts("import json\n\njson.nothing\n", "mcp>=2")
    finish(front.invoke(make_event("GET", "/health", {}, b"")))
    wait_for(lambda: front.sandboxes[0].process.poll() is not None)
    (record,) = (record for record in records(front) if "has no attribute 'nothing'" in record["message"])
    assert record["level"] == "error"
    assert 'File "server.py", line 3' in record["message"]


def test_secrets_that_cannot_be_read_are_one_line_of_the_log(fronts: Any) -> None:
    variables = {"HOMEPORT_SECRET_ARN": "arn:x", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a",
                 "AWS_SECRET_ACCESS_KEY": "b"}  # fmt: skip
    front = fronts(MCP2, "mcp>=2", variables=variables)
    finish(front.invoke(make_event("GET", "/health", {}, b"")))
    wait_for(lambda: front.sandboxes[0].process.poll() is not None)
    (record,) = records(front)
    assert "the function's role needs secretsmanager:GetSecretValue" in record["message"]


@pytest.mark.parametrize(
    "event",
    [{}, {"key1": "value1"}, {"source": "aws.events", "detail": {}}, {"requestContext": {"elb": {}}}, [1], "x", None,
     {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/"}],
    ids=repr,
)  # fmt: skip
def test_an_event_that_is_none_of_a_urls_is_answered_as_an_error(tools: FunctionURL, event: Any) -> None:
    answer = tools.invoke(event)
    finish(answer)
    assert answer.error is not None and answer.error["errorType"] == "NotARequest"
    assert call_alone(tools, "who")["result"]["content"]
    assert len(tools.sandboxes) == 1


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionURL]:
    folder = tmp_path_factory.mktemp("tools")
    front = FunctionURL(lay_out(folder, MCP2 + ENDS, "mcp>=2"), folder)
    yield front
    front.close()


@pytest.mark.parametrize("timeout_s", [5, 10])
def test_a_short_time_limit_leaves_time_to_answer(fronts: Any, timeout_s: float) -> None:
    """As the default of Lambda's console would, 3 seconds."""
    waits = "import asyncio\n@mcp.tool()\nasync def wait() -> str:\n    await asyncio.sleep(%s)\n    return 'done'\n"
    front = fronts(MCP2 + waits % (timeout_s * 0.5), "mcp>=2", timeout_s=timeout_s)
    # A machine that is busy takes more than one try to start it.
    assert wait_for(lambda: call_alone(front, "who").get("result"))["isError"]
    assert call_alone(front, "wait")["result"]["content"][0]["text"] == "done"
