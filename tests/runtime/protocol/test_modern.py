from __future__ import annotations

import asyncio
import json
import shutil
import sys
import uuid
from copy import deepcopy
from typing import Any

import pytest
from mcp import Client

from homeport_runtime.asgi import Message, Scope, send_json
from homeport_runtime.protocol.jsonrpc import event
from homeport_runtime.protocol.modern import ModernTranslator

from ...support import require
from ..conftest import DEADLINE_S, HERE, ROOT, Serve, Served, python_with, wait_for

SERVERS = ROOT / "tests" / "servers"
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
REQUIREMENTS = {
    "mcp1_fastmcp": "mcp<2",
    "mcp1_lowlevel": "mcp<2",
    "fastmcp2": "fastmcp<3",
    "fastmcp3": "fastmcp<4",
}

JSON = dict[str, Any]


def modern(method: str, params: JSON | None = None, /, **meta: Any) -> tuple[JSON, dict[str, str]]:
    """Returns a request of the modern era and its headers."""
    whole = {**(params or {}), "_meta": {**META, **meta}}
    headers = {"mcp-protocol-version": VERSION, "mcp-method": method}
    name = whole.get("name") or whole.get("uri")
    if name is not None:
        headers["mcp-name"] = str(name)
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": whole}, headers


def modern_call(tool: str, arguments: JSON | None = None, /, **meta: Any) -> tuple[JSON, dict[str, str]]:
    return modern("tools/call", {"name": tool, "arguments": arguments or {}}, **meta)


@pytest.fixture(scope="module")
def odd(serve: Serve) -> Served:
    return serve(command=[sys.executable, str(HERE / "programs" / "odd.py")])


@pytest.fixture(scope="module")
def native(serve: Serve) -> Served:
    """Runs a server that speaks the protocol by itself."""
    return serve(file=SERVERS / "mcp2_mcpserver" / "server.py")


def start(serve: Serve, kind: str) -> Served:
    if kind in REQUIREMENTS:
        return serve(file=SERVERS / kind / "server.py", python=python_with(REQUIREMENTS[kind]))
    node = shutil.which("node")
    require(node, "node is not installed")
    return serve(command=[str(node), str(SERVERS / kind / "server.mjs")])


async def use(url: str, mode: str) -> JSON:
    """Uses everything that a client can; `slow` waits after its first step until that step was heard of."""
    token = uuid.uuid4().hex
    heard: list[float] = []
    async with Client(url, mode=mode) as client:

        async def progress(value: float, _total: float | None, _message: str | None) -> None:
            heard.append(value)
            if value == 1:
                await client.call_tool("release", {"token": token})

        async with asyncio.timeout(60):
            info = client.server_info
            failed = await client.call_tool("fail", {})
            slow = await client.call_tool("slow", {"steps": 3, "token": token}, progress_callback=progress)
            added = await client.call_tool("add", {"a": 2, "b": 3})
            return {
                "version": client.protocol_version,
                "server": info.name if info else None,
                "tools": {tool.name for tool in (await client.list_tools()).tools},
                "add": added.content[0].text,  # type: ignore[union-attr]
                "fail": failed.is_error,
                "slow": slow.content[0].text,  # type: ignore[union-attr]
                "heard": heard,
                "prompt": (await client.get_prompt("greet", {"name": "Ada"})).messages[0].content.text,  # type: ignore[union-attr]
                "prompts": [prompt.name for prompt in (await client.list_prompts()).prompts],
                "resource": (await client.read_resource("config://app")).contents[0].text,  # type: ignore[union-attr]
                "item": (await client.read_resource("item://7")).contents[0].text,  # type: ignore[union-attr]
                "resources": [str(each.uri) for each in (await client.list_resources()).resources],
                "templates": len((await client.list_resource_templates()).resource_templates),
            }


@pytest.mark.parametrize("kind", [*REQUIREMENTS, "stdio_node"])
def test_a_modern_client_uses_a_server_of_the_older_era(serve: Serve, kind: str) -> None:
    served = start(serve, kind)
    pinned = asyncio.run(use(f"{served.url}/mcp", VERSION))
    assert pinned == {
        "version": VERSION,
        "server": pinned["server"],
        "tools": {"add", "slow", "release", "fail", "remember", "recall", "whoami"},
        "add": "5",
        "fail": True,
        "slow": "3 steps",
        "heard": [1, 2, 3],
        "prompt": "Greet Ada warmly.",
        "prompts": ["greet"],
        "resource": "theme = dark",
        "item": "item 7",
        "resources": ["config://app"],
        "templates": 1,
    }
    assert asyncio.run(use(f"{served.url}/mcp", "auto")) == {**pinned, "server": kind}
    older = asyncio.run(use(f"{served.url}/mcp", "legacy"))
    assert older == {**pinned, "version": "2025-11-25", "server": kind}


def changed(request: tuple[JSON, dict[str, str]], **headers: str | None) -> tuple[JSON, dict[str, str]]:
    body, fields = deepcopy(request)
    for name, value in headers.items():
        key = name.replace("_", "-")
        fields.pop(key, None)
        if value is not None:
            fields[key] = value
    return body, fields


ADD = modern_call("add", {"a": 1, "b": 2})


def with_params(params: object) -> tuple[JSON, dict[str, str]]:
    return {**ADD[0], "params": params}, ADD[1]


REFUSED: dict[str, tuple[object, dict[str, str]]] = {
    "no method header": changed(ADD, mcp_method=None),
    "another method": changed(ADD, mcp_method="tools/list"),
    "no name header": changed(ADD, mcp_name=None),
    "another name": changed(ADD, mcp_name="subtract"),
    "name in broken base64": changed(ADD, mcp_name="=?base64?YWRk*?="),
    "unknown version": changed(ADD, mcp_protocol_version="2027-01-01"),
    "unknown version in both": (
        modern("tools/list", None, **{"io.modelcontextprotocol/protocolVersion": "2027-01-01"})[0],
        {"mcp-protocol-version": "2027-01-01", "mcp-method": "tools/list"},
    ),
    "no params": ({k: v for k, v in ADD[0].items() if k != "params"}, ADD[1]),
    "no meta": with_params({"name": "add"}),
    "meta of another type": with_params({"name": "add", "_meta": []}),
    "no capabilities": with_params({"name": "add", "_meta": {"io.modelcontextprotocol/protocolVersion": VERSION}}),
    "capabilities of another type": modern_call("add", None, **{"io.modelcontextprotocol/clientCapabilities": "all"}),
    "unknown log level": modern_call("add", None, **{"io.modelcontextprotocol/logLevel": "loud"}),
    "a batch": ([ADD[0]], ADD[1]),
    "a response": ({"jsonrpc": "2.0", "id": 1, "result": {}}, ADD[1]),
    "params of another type": with_params([1]),
    "null id": ({**ADD[0], "id": None}, ADD[1]),
    "no JSON": (b"{", ADD[1]),
    "initialize": modern("initialize", {"protocolVersion": VERSION}),
    "ping": modern("ping"),
    "logging/setLevel": modern("logging/setLevel", {"level": "info"}),
    "resources/subscribe": modern("resources/subscribe", {"uri": "config://app"}),
    "unknown method": modern("no/such"),
    "notification": ({"jsonrpc": "2.0", "method": "notifications/x"}, {"mcp-protocol-version": VERSION}),
    "notification of an unknown version": (
        {"jsonrpc": "2.0", "method": "notifications/x"},
        {"mcp-protocol-version": "2027-01-01"},
    ),
    "accepts only JSON": changed(ADD, accept="application/json"),
    "accepts only a stream": changed(ADD, accept="text/event-stream"),
}


def outcome(served: Served, method: str, body: object, headers: dict[str, str]) -> tuple[int, Any, Any, Any]:
    with served.request(method, "/mcp", body, headers) as reply:
        answer = reply.rpc() if reply.header("content-type") else {}
        error = answer.get("error", {})
        data = error.get("data") if error.get("code") == -32022 else None
        return reply.status, error.get("code"), answer.get("id"), data


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_are_those_of_a_native_server(odd: Served, native: Served, case: str) -> None:
    body, headers = REFUSED[case]
    seen = outcome(odd, "POST", body, headers)
    assert seen == outcome(native, "POST", body, headers)
    assert seen[0] >= 400 or case == "notification"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_post_is_allowed(odd: Served, native: Served, method: str) -> None:
    headers = {"mcp-protocol-version": VERSION}
    assert outcome(odd, method, None, headers)[0] == outcome(native, method, None, headers)[0] == 405


def test_a_name_in_base64_is_read(odd: Served) -> None:
    body, headers = changed(modern_call("echo", {"text": "hi"}), mcp_name="=?base64?ZWNobw==?=")
    assert odd.post(body, headers)["result"]["content"][0]["text"] == "hi"


def test_subscriptions_are_not_offered(odd: Served) -> None:
    assert outcome(odd, "POST", *modern("subscriptions/listen"))[:2] == (404, -32601)


def test_discover_says_what_can_be_had(odd: Served) -> None:
    result = odd.post(*modern("server/discover"))["result"]
    assert result == {
        "supportedVersions": [VERSION],
        "capabilities": {"tools": {}, "resources": {}, "logging": {}},
        "instructions": "Handle with care.",
        "resultType": "complete",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "odd", "version": "3"}},
    }


def test_a_list_has_what_the_modern_era_requires(odd: Served) -> None:
    with odd.request("POST", "/mcp", *modern("tools/list")) as reply:
        assert reply.header("content-type") == "application/json"
        result = reply.rpc()["result"]
    assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 0, "private")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "odd"
    assert not any("execution" in tool for tool in result["tools"])


def test_a_call_is_not_cacheable(odd: Served) -> None:
    result = odd.post(*modern_call("echo", {"text": "hi"}))["result"]
    assert result["resultType"] == "complete"
    assert "ttlMs" not in result


def test_a_missing_resource_is_an_invalid_parameter(odd: Served) -> None:
    assert outcome(odd, "POST", *modern("resources/read", {"uri": "x://y"}))[:3] == (400, -32602, 1)


def test_a_method_the_server_lacks_is_not_found(odd: Served) -> None:
    assert outcome(odd, "POST", *modern("prompts/list"))[:3] == (404, -32601, 1)


@pytest.mark.parametrize(
    ("wanted", "level", "heard"),
    [(None, "error", False), ("error", "info", False), ("info", "info", True), ("debug", "error", True)],
)
def test_log_lines_come_only_when_asked_for(odd: Served, wanted: str | None, level: str, heard: bool) -> None:
    meta = {} if wanted is None else {"io.modelcontextprotocol/logLevel": wanted}
    with odd.request("POST", "/mcp", *modern_call("log", {"level": level}, **meta)) as reply:
        assert reply.header("content-type") == ("text/event-stream" if heard else "application/json")
        if heard:
            assert reply.next()["params"]["level"] == level
        assert reply.rpc()["result"]["content"][0]["text"] == "logged"


def test_progress_streams_and_leaving_cancels(odd: Served) -> None:
    with odd.request("POST", "/mcp", *modern_call("wait", {"key": "modern"}, progressToken="t")) as reply:
        assert reply.next()["params"] == {"progressToken": "t", "progress": 1}
        number = (odd.folder / "began-modern").read_text()
    assert wait_for((odd.folder / f"cancelled-{number}").exists)
    (odd.folder / "released-modern").touch()


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_a_server_with_sessions_answers_both_eras(serve: Serve, mode: str, version: str) -> None:
    file = SERVERS / "mcp1_fastmcp" / "server.py"
    served = serve(file=file, python=python_with("mcp<2"), sessions=True)
    for _ in range(2):
        assert asyncio.run(use(f"{served.url}/mcp", mode))["version"] == version


def test_a_question_to_the_client_is_an_error_and_not_a_hang(serve: Serve) -> None:
    served = serve(file=HERE / "programs" / "asks.py", python=python_with("mcp<2"))
    error = served.post(*modern_call("ask"))["error"]
    assert error["code"] == -32603
    assert "elicitation/create" in error["message"]


# What no server at hand does, played by an app of a few lines.

INITIALIZED = {
    "jsonrpc": "2.0",
    "id": 0,
    "result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}},
}


async def answered(app: Any, body: bytes, headers: dict[str, str]) -> list[Message]:
    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await ModernTranslator(app, app)(scope, receive, send)
    return sent


def test_a_refusal_for_other_reasons_passes_as_it_is() -> None:
    challenge = (b"www-authenticate", b'Bearer scope="x"')

    async def locked(_scope: Scope, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [challenge]})
        await send({"type": "http.response.body", "body": b"no"})

    body, headers = ADD
    sent = asyncio.run(answered(locked, json.dumps(body).encode(), {**headers, "accept": "*/*"}))
    assert (sent[0]["status"], sent[0]["headers"], sent[1]["body"]) == (401, [challenge], b"no")


def test_a_request_of_the_older_era_passes_untouched() -> None:
    seen: list[object] = []

    async def app(*arguments: object) -> None:
        seen.extend(arguments)

    async def none() -> None: ...

    scope: Scope = {"type": "http", "method": "POST", "headers": [(b"mcp-protocol-version", b"2025-06-18")]}
    asyncio.run(ModernTranslator(app, app)(scope, none, none))  # type: ignore[arg-type]
    assert seen[0] is scope
    assert seen[1:] == [none, none]


def test_a_call_that_asked_the_client_in_vain_is_ended() -> None:
    worked_on: list[bool] = []
    question = {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {}}

    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        if scope["homeport.message"]["method"] == "initialize":
            await send_json(send, 200, INITIALIZED)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": event(question), "more_body": True})
        await asyncio.sleep(DEADLINE_S)
        worked_on.append(True)

    body, headers = modern_call("ask")
    sent = asyncio.run(answered(app, json.dumps(body).encode(), {**headers, "accept": "*/*"}))
    assert json.loads(sent[1]["body"])["error"]["code"] == -32603
    assert not worked_on


def test_a_server_that_ends_without_an_answer_is_an_error() -> None:
    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        if scope["homeport.message"]["method"] == "initialize":
            await send_json(send, 200, INITIALIZED)
            return
        assert (b"mcp-protocol-version", b"2025-06-18") in scope["headers"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b""})

    body, headers = modern("tools/list")
    sent = asyncio.run(answered(app, json.dumps(body).encode(), {**headers, "accept": "*/*"}))
    assert json.loads(sent[1]["body"])["error"]["code"] == -32603


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_events_may_be_cut_anywhere(cut: int) -> None:
    stream = (
        b": hello\r\n\r\nid: 1\r\ndata:\r\n\r\n"
        b'event: message\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\r\n\r\n'
        b'event: message\ndata: {"jsonrpc":"2.0","id":5,"result":{"tools":[]}}\n\n'
    )

    async def app(scope: Scope, _receive: Any, send: Any) -> None:
        if scope["homeport.message"]["method"] == "initialize":
            await send_json(send, 200, INITIALIZED)
            return
        events = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": events})
        for at in range(0, len(stream), cut):
            await send({"type": "http.response.body", "body": stream[at : at + cut], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    body, headers = modern("tools/list")
    sent = asyncio.run(answered(app, json.dumps(body).encode(), {**headers, "accept": "*/*"}))
    text = b"".join(part.get("body", b"") for part in sent).decode()
    assert text.count("data: ") == 2
    assert text.index(": ping") < text.index("notifications/progress") < text.index('"resultType":"complete"')
    assert '"id":1' in text
    assert sent[-1].get("more_body") is False
