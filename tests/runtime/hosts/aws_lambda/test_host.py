"""Tests the Lambda host in emulated sandboxes: real processes, Lambda's layout, the Runtime API on a socket."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.aws.function_url import DOMAIN, FunctionURL, make_event
from tests.aws.sandbox import DEADLINE_S

from ....support import require
from ...conftest import BOTH, JSON, Reply, call, message, wait_for
from .lambda_functions import lay_out

TOOLS = """
import asyncio, os, pathlib, subprocess, sys
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

starts = pathlib.Path("starts.txt")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
mcp = MCPServer("functions")

@mcp.tool()
async def steps(ctx: Context) -> str:
    await ctx.report_progress(1, 2)
    while not pathlib.Path("go.txt").exists():
        await asyncio.sleep(0.01)
        await ctx.report_progress(2, 2)
    return "done"

@mcp.tool()
async def never() -> str:
    await asyncio.sleep(3600)
    return ""

@mcp.tool()
def where() -> str:
    print("looked")
    return f"{os.getcwd()} {starts.read_text()} {os.environ['GREETING']}"

@mcp.tool()
def child() -> str:
    code = "import pydantic; print(pydantic.__file__)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return
    if scope["path"] in ("/mcp", "/sse"):
        if scope["method"] == "GET":
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
            await receive()
            return
        result = {"serverInfo": {"name": "raw", "version": "1"}, "capabilities": {}, "protocolVersion": "2025-11-25"}
        import json
        request = json.loads((await receive())["body"])
        body = json.dumps({"jsonrpc": "2.0", "id": request.get("id"), "result": result}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})
        return
    body = (await receive())["body"]
    if scope["path"] == "/early":
        raise RuntimeError("before the first byte")
    headers = [(b"x-a", b"1"), (b"x-a", b"2"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    headers.append((b"content-length", b"9"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/late":
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        raise RuntimeError("in the middle")
    seen = dict(scope["headers"])
    told = [scope["path"], scope["query_string"].decode(), seen.get(b"cookie", b"").decode(), body.hex()]
    await send({"type": "http.response.body", "body": json_of(told)})

def json_of(value):
    import json
    return json.dumps(value).encode()
"""


@pytest.fixture(scope="module", autouse=True)
def sandboxes() -> None:
    require(sys.platform == "linux" and os.geteuid() == 0, "only root on Linux can lay a sandbox out as Lambda does")


Deploy = Callable[..., FunctionURL]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    running: list[FunctionURL] = []

    def deploy(source: str, timeout_s: float = 60, **manifest: Any) -> FunctionURL:
        folder = tmp_path_factory.mktemp("function")
        function = lay_out(folder, source, "mcp>=2", timeout_s=timeout_s, **manifest)
        running.append(FunctionURL(function, folder))
        return running[-1]

    yield deploy
    for front in running:
        front.close()


@pytest.fixture(scope="module")
def tools(deployed: Deploy) -> FunctionURL:
    return deployed(TOOLS, environment={"GREETING": "hello"})


@pytest.fixture(scope="module")
def asgi(deployed: Deploy) -> FunctionURL:
    return deployed(ASGI)


@contextmanager
def request(
    front: FunctionURL,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: JSON | None = None,
    timeout_s: float = DEADLINE_S,
) -> Iterator[Reply]:
    host = front.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=timeout_s)) as connection:
        connection.request(method, path, body, {**BOTH, **(headers or {})})
        with closing(connection.getresponse()) as raw:
            yield Reply(raw)


def ask(front: FunctionURL, body: JSON, headers: JSON | None = None) -> JSON:
    with request(front, "POST", "/mcp", json.dumps(body).encode(), headers) as reply:
        answer = reply.rpc()
        # The sandbox is free for the next event when its answer has ended, not when there is something in it.
        reply.raw.read()
        return answer


def test_a_page_that_is_named_may_call_and_no_other(deployed: Deploy) -> None:
    page = "https://app.example.com"
    front = deployed(TOOLS, environment={"GREETING": "hello"}, origins=[page])
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in ((page, page), ("https://other.example.com", "")):
        with request(front, "OPTIONS", "/mcp", headers={"Origin": origin, **preflight}) as reply:
            assert (reply.status == 204, reply.header("access-control-allow-origin")) == (bool(allowed), allowed)
    with request(front, "POST", "/mcp", json.dumps(call("where")).encode(), {"Origin": page}) as reply:
        assert (reply.status, reply.header("access-control-allow-origin")) == (200, page)


def test_a_call_has_its_answer_and_its_folder_and_its_variables(tools: FunctionURL) -> None:
    for _ in range(2):
        answer = ask(tools, call("where"))
        # The module is loaded once for all calls of a sandbox, in a folder that can be written to.
        assert answer["result"]["content"][0]["text"] == "/tmp/homeport/files x hello"
    records = [json.loads(line) for line in tools.log.read_text().splitlines()]
    assert {"looked", "tools/call where: ok"} <= {record["message"] for record in records}


def test_what_a_server_starts_finds_its_packages(tools: FunctionURL) -> None:
    assert ask(tools, call("child"))["result"]["content"][0]["text"].startswith("/opt/python/pydantic/")


def test_progress_leaves_while_the_tool_still_runs(tools: FunctionURL) -> None:
    body = json.dumps(call("steps", token="t")).encode()
    # The tool never ends. Half of the function's time, at whose end everything would come.
    with request(tools, "POST", "/mcp", body, timeout_s=DEADLINE_S / 2) as reply:
        assert reply.next()["params"]["progress"] == 1
        sandbox = next(one for one in tools.sandboxes if one.busy)
        assert reply.next()["params"]["progress"] == 2
        assert sandbox.busy
        sandbox.stop()


def test_a_notification_has_one_byte_for_an_answer(tools: FunctionURL) -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}).encode()
    with request(tools, "POST", "/mcp", body) as reply:
        assert (reply.status, reply.raw.read()) == (202, b"\n")


def test_nobody_holds_a_connection_to_listen(tools: FunctionURL) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}
    body = json.dumps(message("subscriptions/listen", {"_meta": meta})).encode()
    with request(tools, "POST", "/mcp", body, headers) as reply:
        assert reply.status == 404
        assert json.loads(reply.raw.read())["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": DOMAIN, "origin": "https://evil.example"}, 403),
        ({"host": DOMAIN, "origin": f"https://{DOMAIN}"}, 200),
    ],
)
def test_it_answers_to_its_urls_name_alone(tools: FunctionURL, headers: JSON, status: int) -> None:
    with request(tools, "POST", "/mcp", json.dumps(message("ping")).encode(), headers) as reply:
        assert reply.status == status


def test_a_call_that_takes_too_long_is_told_so(deployed: Deploy) -> None:
    front = deployed(TOOLS, timeout_s=6, environment={"GREETING": "hello"})
    answer = ask(front, call("never", request_id=7))
    assert answer["id"] == 7
    assert "time limit" in answer["error"]["data"]["detail"]


def test_what_http_carries_arrives(asgi: FunctionURL) -> None:
    with request(asgi, "POST", "/a%20b?x=1&x=2", b"\xff\x00", {"cookie": "s=1; t=2"}) as reply:
        assert json.loads(reply.raw.read()) == ["/a b", "x=1&x=2", "s=1; t=2", "ff00"]
        assert reply.header("x-a") == "1, 2"
        assert reply.raw.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_an_error_before_the_answer_is_the_functions_error(asgi: FunctionURL) -> None:
    answer = asgi.invoke(make_event("GET", "/early", {}, b""))
    assert answer.chunks.get(timeout=DEADLINE_S) is None
    assert answer.error is not None
    assert (answer.error["errorType"], answer.error["errorMessage"]) == ("RuntimeError", "before the first byte")


def test_an_error_in_the_middle_comes_behind_what_was_sent(asgi: FunctionURL) -> None:
    answer = asgi.invoke(make_event("GET", "/late", {}, b""))
    chunks = []
    while (chunk := answer.chunks.get(timeout=DEADLINE_S)) is not None:
        chunks.append(chunk)
    assert chunks[-1] == b"first"
    assert answer.error is not None
    assert answer.error["errorMessage"] == "in the middle"


def test_a_server_that_cannot_be_loaded_says_why(deployed: Deploy) -> None:
    front = deployed("import json\n\njson.nothing\n")
    front.invoke(make_event("GET", "/health", {}, b""))
    (sandbox,) = front.sandboxes
    error = wait_for(lambda: sandbox.init_error)
    assert "module 'json' has no attribute 'nothing'" in error["errorMessage"]
    assert any('File "server.py", line 3' in line for line in error["stackTrace"])
