"""Tests which of a deployment's apps answers a request, within this process and with apps of the test's own."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from homeport_runtime.app import App
from homeport_runtime.asgi import Headers, Message, Receive, Scope, Send, send_json
from homeport_runtime.errors import ServerError
from homeport_runtime.guard.access import Access
from homeport_runtime.guard.names import Names
from homeport_runtime.protocol.probe import call_app

from .conftest import JSON, message
from .stand_ins import Recorder, StandIn

TOKEN = "homeport_the-token"
TOKEN_HASH = hashlib.sha256(TOKEN.encode()).hexdigest()
BOTH = b"application/json, text/event-stream"

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class StreamableHTTPASGIApp(Recorder):
    """Has the name by which the SDKs' endpoints are found in routes."""


class Tools:
    """Is an MCP server with one tool, called as the server is; `asked` are the methods of what it answered."""

    def __init__(self, name: str, path: str = "/mcp") -> None:
        self.name = name
        self.asked: list[str] = []
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != self._path or scope["method"] != "POST":
            await send_json(send, 404, {})
            return
        said = json.loads((await receive())["body"])
        self.asked.append(said["method"])
        if "id" not in said:
            await send_json(send, 202, {})
            return
        info = {"serverInfo": {"name": self.name, "version": "1"}, "protocolVersion": "2025-06-18"}
        results = {
            "initialize": {**info, "capabilities": {"tools": {}}},
            "tools/list": {"tools": [{"name": self.name, "inputSchema": {}}]},
        }
        await send_json(send, 200, {"jsonrpc": "2.0", "id": said["id"], "result": results[said["method"]]})


class Called:
    """Is a server that keeps the parameters of what it is called with."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        said = json.loads((await receive())["body"])
        self.bodies.append(said["params"])
        await send_json(send, 200, {"jsonrpc": "2.0", "id": said["id"], "result": {}})


def deployed(adapter: StandIn, **options: Any) -> App:
    return App(adapter, Names(()), **{"sessions": None, **options})


def ask(
    app: App, method: str, path: str, body: JSON | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    """Returns the status, the headers, and what is in the answer's JSON."""
    fields: Headers = [(b"host", b"localhost"), (b"accept", BOTH), (b"content-type", b"application/json")]
    fields += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    sent = b"" if body is None else json.dumps(body).encode()
    status, names, answer = asyncio.run(call_app(app, method, path, fields, sent))
    is_json = names.get("content-type") == "application/json"
    return status, names, json.loads(answer) if is_json else answer.decode()


def who(app: App, method: str, path: str) -> Any:
    """Returns who answers, and at which path they were asked; the status if nobody was."""
    status, _, answer = ask(app, method, path, message("ping") if method == "POST" else None)
    return (answer["by"], answer["path"]) if status == 200 and "by" in answer else status


@pytest.mark.parametrize(
    ("method", "path", "answered"),
    [
        ("POST", "/mcp", ("http", "/mcp")),
        ("POST", "/mcp/", ("http", "/mcp")),
        ("DELETE", "/mcp", 405),
        ("GET", "/mcp", 405),
        ("GET", "/sse", ("sse", "/sse")),
        ("POST", "/messages", ("sse", "/messages")),
        ("POST", "/messages/", ("sse", "/messages/")),
        ("POST", "/messages/abc", ("sse", "/messages/abc")),
        ("GET", "/health", ("http", "/health")),
        ("GET", "/", ("http", "/")),
        ("POST", "/mcp/more", ("http", "/mcp/more")),
        ("GET", "/sse/more", ("http", "/sse/more")),
        ("GET", "/messages.html", ("http", "/messages.html")),
    ],
)
def test_each_path_has_its_app(method: str, path: str, answered: object) -> None:
    app = deployed(StandIn(Recorder("http"), sse=Recorder("sse")))
    assert who(app, method, path) == answered


def test_what_is_refused_says_what_is_allowed() -> None:
    assert ask(deployed(StandIn(Recorder("http"))), "GET", "/mcp")[1]["allow"] == "POST"


def test_a_server_with_sessions_is_asked_for_streams_too(tmp_path: Path) -> None:
    assert who(deployed(StandIn(Recorder("http")), sessions=tmp_path), "GET", "/mcp") == ("http", "/mcp")


def test_a_preflight_reaches_the_app_itself() -> None:
    headers = {"origin": "https://app.example", "access-control-request-method": "POST"}
    assert ask(deployed(StandIn(Recorder("http"))), "OPTIONS", "/mcp", None, headers)[2]["by"] == "http"


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_what_is_no_http_reaches_the_app_itself(kind: str) -> None:
    http, sse = Recorder("http"), Recorder("sse")
    app = deployed(StandIn(http, sse=sse))
    scope = {"type": kind, "path": "/sse", "headers": [(b"host", b"localhost")]}

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        pass

    asyncio.run(app._route(scope, receive, send))
    assert (http.asked, sse.asked) == ([scope], [])


@pytest.mark.parametrize(("status", "is_own"), [(200, True), (503, True), (404, False), (307, False), (401, False)])
def test_health_is_what_the_app_says_unless_it_has_nothing_to_say(status: int, is_own: bool) -> None:
    app = deployed(StandIn(Recorder("http", status)))
    found, _, answer = ask(app, "GET", "/health")
    assert (found, answer) == ((status, {"by": "http", "path": "/health"}) if is_own else (200, {"status": "ok"}))


def test_who_has_no_token_is_told_that_the_deployment_is_up_and_nothing_else() -> None:
    http, sse = Recorder("http"), Recorder("sse")
    app = deployed(StandIn(http, sse=sse), access=Access.of_hashes(TOKEN_HASH))
    for method, path in (("POST", "/mcp"), ("GET", "/sse"), ("POST", "/messages/"), ("GET", "/"), ("GET", "/health/")):
        assert who(app, method, path) == 401, path
    assert ask(app, "GET", "/health")[::2] == (200, {"status": "ok"})
    assert http.asked == sse.asked == []
    holder = {"authorization": f"Bearer {TOKEN}"}
    assert ask(app, "GET", "/health", headers=holder)[::2] == (200, {"status": "ok"})
    assert http.asked == []
    assert ask(app, "POST", "/mcp", message("ping"), holder)[2]["by"] == "http"


def test_a_server_of_the_older_era_is_translated_for_clients_of_the_newer() -> None:
    server = Tools("older")
    app = deployed(StandIn(Recorder("http"), stateless=server))
    assert who(app, "POST", "/mcp") == ("http", "/mcp")
    status, _, _ = ask(app, "POST", "/mcp", message("tools/list"), {"mcp-protocol-version": "2026-07-28"})
    assert status == 400, "the newer era wants an envelope"
    modern = {"mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover"}
    assert ask(app, "POST", "/mcp", message("server/discover", {"_meta": META}), modern)[0] == 200
    assert server.asked == ["initialize"]


@pytest.mark.parametrize("listens", [True, False])
def test_subscriptions_are_refused_where_no_connection_may_be_held(listens: bool) -> None:
    http = Recorder("http")
    app = deployed(StandIn(http), listens=listens)
    status, _, answer = ask(app, "POST", "/mcp", message("subscriptions/listen", {}))
    assert (status, len(http.asked)) == ((200, 1) if listens else (404, 0))
    assert listens or answer["error"]["code"] == -32601


def own(app: Any) -> App:
    """Returns a deployment of an ASGI app of the user's own."""
    return deployed(StandIn(app, kind="asgi"))


def routed(*paths: str) -> App:
    """Returns a deployment of an app with an MCP endpoint at each path."""
    routes = [Route(path, StreamableHTTPASGIApp(path)) for path in paths]
    return own(Starlette(routes=[*routes, Route("/page", Recorder("page"))]))


def test_of_several_endpoints_each_has_its_path_and_mcp_names_them() -> None:
    app = routed("/echo/mcp", "/math/mcp")
    assert who(app, "POST", "/echo/mcp") == ("/echo/mcp", "/echo/mcp")
    assert who(app, "POST", "/math/mcp") == ("/math/mcp", "/math/mcp")
    assert who(app, "GET", "/page") == ("page", "/page")
    status, _, answer = ask(app, "POST", "/mcp", message("ping"))
    assert (status, answer["error"]["message"]) == (404, "this app has several MCP servers: /echo/mcp, /math/mcp")
    assert ask(app, "GET", "/sse")[0] == 404, "nobody can tell whose stream that would be"


def test_of_several_endpoints_the_one_at_mcp_is_the_deployments() -> None:
    app = routed("/math/mcp", "/mcp")
    assert who(app, "POST", "/mcp/") == ("/mcp", "/mcp")
    assert who(app, "POST", "/math/mcp") == ("/math/mcp", "/math/mcp")


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/api/tools", "/api/tools/"])
def test_the_only_endpoint_answers_at_its_path_and_at_mcp(path: str) -> None:
    app = routed("/api/tools")
    assert who(app, "POST", path) == ("/api/tools", "/api/tools")
    assert who(app, "GET", path) == ("/api/tools", "/api/tools"), "its own app decides what it answers"


def test_what_the_app_has_below_a_mount_is_its_own() -> None:
    inner = Starlette(routes=[Route("/mcp", StreamableHTTPASGIApp("inner"))])
    app = own(Starlette(routes=[Mount("/v1", inner), Mount("/files", Recorder("files"))]))
    assert who(app, "POST", "/mcp")[0] == "inner"
    assert who(app, "GET", "/files/mcp") == ("files", "/files/mcp")


def test_warming_up_reads_the_contract_and_tells_the_adapter_of_the_tools() -> None:
    server = Tools("add")
    adapter = StandIn(server)
    contract = asyncio.run(deployed(adapter).warm_up())
    assert contract is not None
    assert (contract["name"], [tool["name"] for tool in contract["tools"]]) == ("add", ["add"])
    assert adapter.learned == [["add"]]


def test_a_server_whose_tools_are_known_is_not_asked_again() -> None:
    server = Tools("add")
    adapter = StandIn(server)
    assert asyncio.run(deployed(adapter).warm_up([{"name": "known"}])) is None
    assert (adapter.learned, server.asked) == ([["known"]], [])


def test_an_endpoint_that_no_route_shows_is_found_by_asking() -> None:
    server = Tools("add", path="/")
    app = own(server)
    # Though the tools are known, nobody knows where they are.
    contract = asyncio.run(app.warm_up([{"name": "add"}]))
    assert contract is not None
    assert contract["name"] == "add"
    before = len(server.asked)
    assert ask(app, "POST", "/mcp", message("tools/list"))[2]["result"]["tools"]
    assert server.asked[before:] == ["tools/list"]


def test_an_app_without_any_endpoint_is_refused_with_the_way_out() -> None:
    with pytest.raises(ServerError, match="answers neither POST /mcp nor GET /sse") as caught:
        asyncio.run(own(Recorder("page", 404)).warm_up())
    assert "mount" in (caught.value.hint or "")


def test_the_lifespan_is_the_adapters() -> None:
    adapter = StandIn(Recorder("http"))

    async def run() -> int:
        async with deployed(adapter).lifespan():
            return adapter.lives

    assert (asyncio.run(run()), adapter.lives) == (1, 0)


def test_tools_are_called_past_the_guard_and_without_a_record() -> None:
    http = Called()
    app = deployed(StandIn(http), access=Access.of_hashes(TOKEN_HASH))
    asyncio.run(app.call("add", {"a": 1}))
    assert http.bodies == [{"name": "add", "arguments": {"a": 1}}]
    assert app.guard.served == 0
