"""Tests that each tools/call has one record: what was called by whom, and how it ended, whatever way it ended."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from homeport_runtime.asgi import Message, Receive, Scope, Send, send_json
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names
from homeport_runtime.guard.shown import shown
from homeport_runtime.guard.watched import problem_in
from homeport_runtime.protocol.messages import MAX_BODY, MAX_CALLS

from ..conftest import JSON, call, message, python_with, wait_for
from ..workers import REQUIREMENTS, Worker, Workers, kind_source

KINDS = ["fastmcp2", "fastmcp3", "fastmcp4", "mcp1_fastmcp", "mcp1_lowlevel", "mcp2_lowlevel", "mcp2_mcpserver"]


@pytest.fixture(scope="module")
def kinds(workers: Workers) -> dict[str, Worker]:
    return {}


def served(kinds: dict[str, Worker], workers: Workers, kind: str) -> Worker:
    if kind not in kinds:
        kinds[kind] = workers.kind(kind)
    return kinds[kind]


def records_of(worker: Worker, tool: str) -> list[JSON]:
    return [r["call"] for r in worker.records() if r.get("call", {}).get("tool") == tool]


@pytest.mark.parametrize("kind", KINDS)
def test_ok_and_error_are_told_apart(kinds: dict[str, Worker], workers: Workers, kind: str) -> None:
    worker = served(kinds, workers, kind)
    worker.post(call("add", a=1, b=2), {"user-agent": "tester/1"})
    worker.post(call("fail"))
    record = wait_for(lambda: records_of(worker, "add"))[0]
    assert record["status"] == "ok"
    assert record["client"] == "tester/1"
    assert record["start"] == "cold"
    assert record["ms"] > 0
    record = wait_for(lambda: records_of(worker, "fail"))[0]
    assert (record["status"], record["start"]) == ("error", "warm")
    assert worker.record(lambda r: r.get("call", {}).get("tool") == "fail")["level"] == "warning"


@pytest.mark.parametrize("kind", ["fastmcp4", "mcp2_lowlevel", "mcp1_lowlevel", "mcp1_fastmcp"])
def test_the_client_of_protocol_2026_says_who_it_is(kinds: dict[str, Worker], workers: Workers, kind: str) -> None:
    worker = served(kinds, workers, kind)
    before = len(records_of(worker, "whoami"))
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "Desk", "version": "2.1"},
    }
    request = message("tools/call", {"name": "whoami", "arguments": {}, "_meta": meta})
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "whoami"}
    assert "result" in worker.post(request, headers)
    records = wait_for(lambda: records_of(worker, "whoami")[before:])
    assert [record["client"] for record in records] == ["Desk/2.1"]


@pytest.mark.parametrize("kind", ["fastmcp4", "mcp1_fastmcp", "mcp2_lowlevel"])
def test_a_client_that_goes_away_leaves_a_record(kinds: dict[str, Worker], workers: Workers, kind: str) -> None:
    worker = served(kinds, workers, kind)
    with worker.request("POST", "/mcp", call("slow", token="progress", steps=2) | {"id": 7}, None) as reply:
        assert reply.status == 200
    worker.post(call("release", token="progress"))
    assert wait_for(lambda: records_of(worker, "slow"))[0]["status"] in ("abandoned", "ok")


def test_a_call_whose_answer_never_comes_is_abandoned(workers: Workers) -> None:
    source = kind_source("mcp2_mcpserver") + (
        "\n\n@mcp.tool()\nasync def forever(ctx: Context) -> str:\n"
        '    await ctx.report_progress(1, 2)\n    await asyncio.sleep(3600)\n    return ""\n'
    )
    worker = workers.serve(source, python_with(REQUIREMENTS["mcp2_mcpserver"]))
    with worker.request("POST", "/mcp", call("forever", token="t")) as reply:
        assert reply.next()["method"] == "notifications/progress"
    assert wait_for(lambda: records_of(worker, "forever"))[0]["status"] == "abandoned"


def test_a_request_that_is_not_complete_is_no_call(kinds: dict[str, Worker], workers: Workers) -> None:
    worker = served(kinds, workers, "mcp2_lowlevel")
    before = len(worker.records())
    with socket.create_connection(("127.0.0.1", worker.port)) as connection:
        connection.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    worker.post(call("add", a=1, b=1))
    worker.record(lambda r: r in worker.records()[before:] and "call" in r)
    assert [r["call"]["tool"] for r in worker.records()[before:] if "call" in r] == ["add"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}', "ok"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}', "ok"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}', "error"),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":""}}', "error"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"text":"\\"isError\\": true"}]}}', "ok"),
        (b'event: message\r\ndata: {"id":1,"result":{"isError":true}}\r\n\r\n', "error"),
        (b'event: message\r\ndata: {"id":1,"result":{"isError":false}}\r\n\r\n', "ok"),
        (b'data: {"method":"x","params":{"error":1}}\n\ndata: {"id":1,"result":{}}\n\n', "ok"),
        (b'"isError"', "ok"),
        (b'[{"id":1,"result":{}},{"id":2,"error":{"code":1,"message":""}}]', "error"),
        (b'{"error":' + b"[" * 100_000, "ok"),
        (b"", "ok"),
    ],
)
def test_the_outcome_is_read_from_the_answer(body: bytes, status: str) -> None:
    assert ("ok" if problem_in(body) is None else "error") == status


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers each call, in the shape that it came in; `fail` fails."""
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    said = json.loads(body)
    answers = [
        {"jsonrpc": "2.0", "id": each.get("id"), "result": {"isError": each.get("params", {}).get("name") == "fail"}}
        for each in (said if isinstance(said, list) else [said])
    ]
    await send_json(send, 200, answers if isinstance(said, list) else answers[0])


def recorded(
    capfd: pytest.CaptureFixture[str], path: str, said: object, kind: bytes = b"application/json"
) -> list[JSON]:
    """Returns the records of what is posted to `echo` behind a guard."""
    data = json.dumps(said).encode()
    parts = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
    headers = [(b"host", b"localhost"), (b"content-type", kind)]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    waiting = iter([{"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(echo, Names(()))(scope, receive, send))
    assert sent[0]["status"] == 200
    assert next(waiting, None) is None
    return [json.loads(line[1:]) for line in capfd.readouterr().out.split("\n") if line.startswith("\x1e")]


@pytest.mark.parametrize("path", ["/mcp", "/own/place"])
def test_each_call_of_an_array_has_a_record(capfd: pytest.CaptureFixture[str], path: str) -> None:
    batch = [call(tool) | {"id": number} for number, tool in enumerate(("one", "fail", "two"))]
    found = recorded(capfd, path, [*batch, {"method": []}])
    assert [(r["call"]["tool"], r["call"]["status"]) for r in found] == [
        ("one", "ok"),
        ("fail", "error"),
        ("two", "ok"),
    ]
    assert len({r["request"] for r in found}) == 1
    assert len(recorded(capfd, path, batch * 1000)) == MAX_CALLS


def test_a_call_at_an_apps_own_path_has_a_record(capfd: pytest.CaptureFixture[str]) -> None:
    (record,) = recorded(capfd, "/own", call("alone"), b"Application/JSON; charset=utf-8")
    assert (record["call"]["tool"], record["call"]["status"]) == ("alone", "ok")
    assert recorded(capfd, "/own", call("alone"), b"text/plain") == []


def test_what_is_too_large_for_a_message_reaches_an_apps_own_path_whole(capfd: pytest.CaptureFixture[str]) -> None:
    assert recorded(capfd, "/own", call("large", text="x" * (MAX_BODY + 1))) == []


def test_what_a_caller_says_is_cut_and_steers_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    (record,) = recorded(
        capfd, "/mcp", call("nope\x1b]0;owned\x07\n12:00:00 v9 error FAKE\u202e\ud800" + "x" * 1_000_000)
    )
    assert len(json.dumps(record)) < 1000
    assert record["message"].isprintable()
    assert "\\x1b]0;owned\\x07\\n12:00:00" in record["message"]


@pytest.mark.parametrize("name", [None, 7, [["x"] * 1000], {"a": 1}])
def test_what_is_no_name_has_a_short_record(name: object) -> None:
    assert len(shown(name)) < 5
