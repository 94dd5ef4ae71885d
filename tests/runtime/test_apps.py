"""Tests ASGI apps of people's own: where their MCP endpoints are, who guards them, and what else is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from homeport_runtime.guard.access import Access, ClientToken

from .conftest import JSON, call, message, python_with
from .workers import Worker, Workers

MCP1, MCP2, FASTMCP = "mcp<2", "mcp>=2", "fastmcp>=4"
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}

Inspect = Callable[..., JSON]


@pytest.fixture
def inspect(workers: Workers) -> Inspect:
    """Returns a function that inspects a server and returns its contract; it fails with what was said instead."""

    def ask(source: str, python: str, **manifest: object) -> JSON:
        worker = workers.start(source, python, mode="inspect", manifest={"object": "app", **manifest})
        contract: JSON = worker.expect("inspected")["contract"]
        return contract

    return ask


def ask(worker: Worker, path: str, body: JSON, **headers: str) -> tuple[int, Any]:
    """Returns the status, and the response or the text."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with worker.request("POST", path, body, sent) as reply:
        if reply.status != 200:
            return reply.status, reply.raw.read().decode()
        return 200, reply.rpc()


def text_of(answer: tuple[int, Any]) -> str:
    status, response = answer
    assert status == 200, answer
    return str(response["result"]["content"][0]["text"])


def names(contract: JSON) -> list[str]:
    return [tool["name"] for tool in contract["tools"]]


def say_over_sse(worker: Worker, *messages: JSON, stream: str = "/sse", **headers: str) -> list[JSON]:
    """Returns what a client of HTTP+SSE hears for its requests."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with worker.request("GET", stream, headers={"accept": "text/event-stream", **sent}) as reply:
        assert reply.status == 200, reply.raw.read()
        path = reply.event()[1]
        for body in messages:
            with worker.request("POST", path, body, sent) as posted:
                assert posted.status == 202, posted.raw.read()
        return [reply.next() for body in messages if "id" in body]


def list_over_sse(worker: Worker, **options: str) -> list[str]:
    greeting = (message("initialize", HELLO, 0), {"jsonrpc": "2.0", "method": "notifications/initialized"})
    answer = say_over_sse(worker, *greeting, message("tools/list", {}), **options)[-1]
    assert "result" in answer, answer
    return [tool["name"] for tool in answer["result"]["tools"]]


SEVERAL = """
import contextlib
from mcp.server.fastmcp import FastMCP
from starlette.applications import Starlette
from starlette.routing import Mount

echo, math = FastMCP("echo", stateless_http=True), FastMCP("math", stateless_http=True)

@echo.tool()
def say(text: str) -> str:
    return text

@math.tool()
def add(a: int, b: int) -> int:
    return a + b

@contextlib.asynccontextmanager
async def lifespan(app):
    async with echo.session_manager.run(), math.session_manager.run():
        yield

app = Starlette(
    routes=[Mount("/echo", echo.streamable_http_app()), Mount("/math", math.streamable_http_app())], lifespan=lifespan
)
"""


def test_several_servers_keep_their_paths(workers: Workers, inspect: Inspect) -> None:
    contract = inspect(SEVERAL, python_with(MCP1))
    assert names(contract) == ["say", "add"]
    assert contract["endpoints"] == [
        {"path": "/echo/mcp", "name": "echo", "tools": ["say"]},
        {"path": "/math/mcp", "name": "math", "tools": ["add"]},
    ]
    worker = workers.serve(SEVERAL, python_with(MCP1), manifest={"object": "app"}, names=["own.example"])
    assert text_of(ask(worker, "/echo/mcp", call("say", text="hi"), host="own.example")) == "hi"
    assert text_of(ask(worker, "/math/mcp", call("add", a=1, b=2), host="own.example")) == "3"
    assert {record["tool"] for record in worker.calls(2)} == {"say", "add"}
    status, said = ask(worker, "/mcp", message("ping"))
    assert (status, "/echo/mcp, /math/mcp" in said) == (404, True)


ELSEWHERE = """
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.routing import Mount

tools = MCPServer("elsewhere")

@tools.tool()
def add(a: int, b: int) -> int:
    return a + b

inner = tools.streamable_http_app(streamable_http_path="PATH", stateless_http=True)
app = Starlette(routes=[Mount("MOUNT", inner)], lifespan=inner.router.lifespan_context)
"""


@pytest.mark.parametrize(("mount", "path"), [("/api", "/mcp"), ("/api/v1", "/"), ("/", "/"), ("/", "/tools")])
def test_an_endpoint_elsewhere_answers_there_and_at_mcp(workers: Workers, mount: str, path: str) -> None:
    source = ELSEWHERE.replace("PATH", path).replace("MOUNT", mount)
    worker = workers.serve(source, python_with(MCP2), manifest={"object": "app"})
    own = (mount.rstrip("/") + path).rstrip("/")
    for known in ("/mcp", "/mcp/", own or "/", f"{own}/"):
        assert text_of(ask(worker, known, call("add", a=1, b=2))) == "3", known
    assert list_over_sse(worker) == ["add"]


GUARD = """
class Key:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and GUARDS and dict(scope["headers"]).get(b"x-api-key") != b"sesame":
            await JSONResponse({"error": "no key"}, status_code=401)(scope, receive, send)
            return
        await self.app(scope, receive, send)
"""
KEYED = (
    """
from fastmcp import FastMCP
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
"""
    + GUARD
    + """
mcp = FastMCP("keyed")

@mcp.tool
def report() -> str:
    return "for holders of the key"

app = mcp.http_app(middleware=[Middleware(Key)], stateless_http=True)
"""
)
# As people write it: what is not at the path is not looked at.
BY_PATH = KEYED.replace("GUARDS", 'scope["path"].startswith("/mcp")')
ALWAYS = KEYED.replace("GUARDS", "True")
WRAPPED = ALWAYS.replace("mcp.http_app(middleware=[Middleware(Key)], stateless_http=True)", "Key(mcp.http_app())")


@pytest.mark.parametrize("source", [BY_PATH, ALWAYS, WRAPPED], ids=["by path", "always", "wrapped"])
def test_a_guard_of_the_apps_own_guards_both_transports(workers: Workers, inspect: Inspect, source: str) -> None:
    contract = inspect(source, python_with(FASTMCP))
    assert (names(contract), contract["guarded"], contract["name"]) == (["report"], True, "keyed")
    worker = workers.serve(source, python_with(FASTMCP), manifest={"object": "app"})
    for path in ("/mcp", "/mcp/"):
        assert ask(worker, path, call("report"))[0] == 401
    if source is not WRAPPED:
        assert text_of(ask(worker, "/mcp", call("report"), x_api_key="sesame")) == "for holders of the key"
    with worker.request("GET", "/sse", headers={"accept": "text/event-stream"}) as reply:
        assert reply.status == 401, "/sse is as closed as /mcp"
    with worker.request("GET", "/sse", headers={"accept": "text/event-stream", "x-api-key": "sesame"}) as stream:
        with worker.request("POST", stream.event()[1], call("report")) as reply:
            assert reply.status == 202
        assert "error" in stream.next(), "each message needs the key, too"
    assert list_over_sse(worker, x_api_key="sesame") == ["report"]


VERIFIED = """
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

mcp = FastMCP("verified", auth=StaticTokenVerifier(tokens={"abc123": {"client_id": "me", "scopes": []}}))

@mcp.tool
def ping() -> str:
    return "pong"

app = mcp.http_app()
"""


@pytest.mark.parametrize("object", ["mcp", "app"])
def test_an_sdks_own_auth(workers: Workers, inspect: Inspect, object: str) -> None:
    contract = inspect(VERIFIED, python_with(FASTMCP), object=object)
    assert (names(contract), contract["guarded"]) == (["ping"], True)
    worker = workers.serve(VERIFIED, python_with(FASTMCP), manifest={"object": "mcp"})
    assert ask(worker, "/mcp", call("ping"))[0] == 401
    assert text_of(ask(worker, "/mcp", call("ping"), authorization="Bearer abc123")) == "pong"


IN_MIDDLEWARE = """
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.dependencies import get_http_headers
from fastmcp.server.middleware import Middleware

class NeedsKey(Middleware):
    async def on_request(self, context, call_next):
        if get_http_headers().get("x-api-key") != "sesame":
            raise ToolError("missing x-api-key")
        return await call_next(context)

mcp = FastMCP("headerkey", middleware=[NeedsKey()])

@mcp.tool
def ping() -> str:
    return "pong"
"""


def test_a_key_that_the_servers_middleware_wants(workers: Workers, inspect: Inspect) -> None:
    contract = inspect(IN_MIDDLEWARE, python_with(FASTMCP), object="mcp")
    assert (contract["name"], contract["guarded"]) == ("headerkey", True)
    assert [(each["method"], "missing x-api-key" in each["message"]) for each in contract["problems"]] == [
        ("initialize", True)
    ]
    worker = workers.serve(IN_MIDDLEWARE, python_with(FASTMCP), manifest={"object": "mcp"})
    assert text_of(ask(worker, "/mcp", call("ping"), x_api_key="sesame")) == "pong"


FAILING_LIST = """
from mcp.server import Server
from mcp.types import TextContent, Tool

server = Server("tables")

@server.list_tools()
async def list_tools():
    return [Tool(name="ping", inputSchema={"type": "object", "properties": {}})]

@server.call_tool()
async def call_tool(name, arguments):
    return [TextContent(type="text", text="pong")]

@server.list_resources()
async def list_resources():
    raise ValueError("Missing configuration: DB_USER" + "!" * 10_000)
"""


def test_a_list_that_fails_is_told_and_the_rest_is_served(workers: Workers, inspect: Inspect) -> None:
    contract = inspect(FAILING_LIST, python_with(MCP1), object="server")
    assert (names(contract), contract["resources"]) == (["ping"], [])
    (problem,) = contract["problems"]
    assert problem["method"] == "resources/list"
    assert "Missing configuration: DB_USER" in problem["message"]
    assert len(problem["message"]) <= 500
    worker = workers.serve(FAILING_LIST, python_with(MCP1), manifest={"object": "server"})
    assert worker.call("ping") == "pong"


ONLY_SSE = (
    """
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.sse import SseServerTransport
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
"""
    + GUARD
    + """
tools = FastMCP("old")

@tools.tool()
async def add(a: int, b: int, ctx: Context) -> int:
    await ctx.info("adding")
    return a + b

sse = SseServerTransport("MESSAGES")

async def handle_sse(request):
    async with sse.connect_sse(request.scope, request.receive, request._send) as streams:
        await tools._mcp_server.run(*streams, tools._mcp_server.create_initialization_options())
    return Response()

app = Starlette(
    routes=[Route("STREAM", handle_sse), Mount("MESSAGES", sse.handle_post_message)], middleware=[Middleware(Key)]
)
"""
)


def only_sse(stream: str, messages: str, guards: bool) -> str:
    return ONLY_SSE.replace("STREAM", stream).replace("MESSAGES", messages).replace("GUARDS", str(guards))


@pytest.mark.parametrize(("stream", "messages"), [("/sse", "/messages/"), ("/api/events", "/api/messages/")])
def test_an_app_that_has_only_sse_answers_mcp(workers: Workers, inspect: Inspect, stream: str, messages: str) -> None:
    source = only_sse(stream, messages, guards=False)
    contract = inspect(source, python_with(MCP1))
    assert (names(contract), contract["name"], "guarded" in contract) == (["add"], "old", False)
    worker = workers.serve(source, python_with(MCP1), manifest={"object": "app"})
    with worker.request("POST", "/mcp", call("add", a=1, b=2)) as reply:
        assert reply.next()["method"] == "notifications/message"
        assert reply.next()["result"]["content"][0]["text"] == "3"
    status, hello = ask(worker, "/mcp", message("initialize", HELLO), accept="application/json")
    assert (status, hello["result"]["protocolVersion"]) == (200, "2025-06-18")
    for path in ("/sse", stream):
        assert list_over_sse(worker, stream=path) == ["add"]
    modern = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "add"}
    body = message("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}, "_meta": modern})
    assert text_of(ask(worker, "/mcp", body, **headers)) == "5"


def test_the_guard_of_an_sse_app_guards_what_is_made_of_it(workers: Workers, inspect: Inspect) -> None:
    source = only_sse("/sse", "/messages/", guards=True)
    contract = inspect(source, python_with(MCP1))
    assert (names(contract), contract["guarded"]) == (["add"], True)
    worker = workers.serve(source, python_with(MCP1), manifest={"object": "app"})
    status, said = ask(worker, "/mcp", call("add", a=1, b=2))
    assert (status, "no key" in said) == (401, True)
    assert text_of(ask(worker, "/mcp", call("add", a=1, b=2), x_api_key="sesame")) == "3"


AROUND = """
import contextlib
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

tools = MCPServer("around")

@tools.tool()
def add(a: int, b: int) -> int:
    return a + b

inner = tools.streamable_http_app(stateless_http=True)

@contextlib.asynccontextmanager
async def lifespan(app):
    async with inner.router.lifespan_context(inner):
        yield {"database": "open"}

async def health(request):
    return JSONResponse({"status": "degraded", "database": request.state.database}, status_code=503)

async def pass_on(request, call_next):
    response = await call_next(request)
    response.headers["x-seen"] = "yes"
    return response

async def endless(request):
    async def parts():
        yield "first\\n"
        while not await request.is_disconnected():
            await asyncio.sleep(0.05)
    return StreamingResponse(parts())

import asyncio

app = Starlette(
    routes=[Route("/health", health), Route("/endless", endless), Mount("/", inner)],
    middleware=[Middleware(BaseHTTPMiddleware, dispatch=pass_on)],
    lifespan=lifespan,
)
"""


def test_what_else_the_app_has_is_its_own(workers: Workers) -> None:
    worker = workers.serve(AROUND, python_with(MCP2), manifest={"object": "app"})
    with worker.request("GET", "/health") as reply:
        assert (reply.status, b'"database":"open"' in reply.raw.read()) == (503, True)
    with worker.request("GET", "/endless") as reply:
        assert (reply.header("x-seen"), reply.raw.readline()) == ("yes", b"first\n")
    with worker.request("POST", "/mcp", call("add", a=1, b=2)) as reply:
        assert (reply.header("x-seen"), reply.rpc()["result"]["content"][0]["text"]) == ("yes", "3")


def test_health_is_ours_where_the_app_has_none_and_where_a_token_is_wanted(workers: Workers) -> None:
    python = python_with(MCP2)
    for worker in (
        workers.serve(ELSEWHERE.replace("PATH", "/mcp").replace("MOUNT", "/"), python, manifest={"object": "app"}),
        workers.serve(AROUND, python, manifest={"object": "app"}, access=Access((ClientToken("0" * 64),)).to_data()),
    ):
        with worker.request("GET", "/health") as reply:
            assert (reply.status, reply.raw.read()) == (200, b'{"status":"ok"}')


OPAQUE = """
from mcp.server import MCPServer

tools = MCPServer("opaque")

@tools.tool()
def add(a: int, b: int) -> int:
    return a + b

inner = tools.streamable_http_app(streamable_http_path="PATH", stateless_http=True)

async def app(scope, receive, send):
    await inner(scope, receive, send)
"""


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/"])
def test_an_app_without_routes_is_probed(workers: Workers, path: str) -> None:
    worker = workers.serve(OPAQUE.replace("PATH", path), python_with(MCP2), manifest={"object": "app"})
    for known in ("/mcp", "/mcp/", path):
        assert text_of(ask(worker, known, call("add", a=1, b=2))) == "3"
    assert list_over_sse(worker) == ["add"]
