"""Tests what a request that is tried makes of servers that misbehave, which a stand-in plays."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from platform_cli.playground import exchange
from platform_cli.playground.exchange import Exchange
from tests.http_servers import serving

# What a stand-in says to a JSON-RPC request: the status, the headers and the body of its answer.
Reply = tuple[int, str, bytes]
MODERN = {"supportedVersions": ["2026-07-28"], "capabilities": {}}


@contextmanager
def served(reply: Callable[[dict[str, Any]], Reply | None]) -> Iterator[str]:
    """Serves what `reply` says, nothing for None, and yields the URL."""
    over = threading.Event()

    class StandIn(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said = reply(json.loads(body))
            if said is None:
                over.wait()
                return
            status, kind, content = said
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serving(StandIn) as url:
        try:
            yield f"{url}/mcp"
        finally:
            over.set()


def result(message: dict[str, Any], value: object) -> Reply:
    if "id" not in message:
        return 202, "text/plain", b""
    return 200, "application/json", json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": value}).encode()


def tried(reply: Callable[[dict[str, Any]], Reply | None]) -> list[dict[str, Any]]:
    """Returns the events of a tool's call; whatever is asked meanwhile is accepted."""

    async def run() -> list[dict[str, Any]]:
        events = []
        with served(reply) as url:
            one = Exchange()
            async for event in one.run(url, {}, "tools/call", {"name": "x"}, has_sessions=False):
                events.append(dict(event))
                if event["event"] == "elicitation":
                    one.reply(event["id"], "accept", {})
        return events

    return asyncio.run(asyncio.wait_for(run(), 30))


def modern(message: dict[str, Any], value: object) -> Reply:
    return result(message, MODERN if message["method"] == "server/discover" else value)


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "ANSWER_S", 0.3)
    events = tried(lambda _message: None)
    assert [each["event"] for each in events] == ["start", "error"]
    assert "has not answered within" in events[-1]["message"]


def test_a_person_who_never_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PERSON_S", 0.3)
    wanted = {"resultType": "input_required", "inputRequests": {"a": {"method": "elicitation/create"}}}

    async def run() -> list[dict[str, Any]]:
        with served(lambda message: modern(message, wanted)) as url:
            events = Exchange().run(url, {}, "tools/call", {"name": "x"}, has_sessions=False)
            return [dict(event) async for event in events]

    assert "nobody has replied" in asyncio.run(run())[-1]["message"]


def test_a_server_that_is_not_there() -> None:
    async def run() -> list[dict[str, Any]]:
        events = Exchange().run("http://127.0.0.1:1/mcp", {}, "tools/list", {}, has_sessions=True)
        return [dict(event) async for event in events]

    last = asyncio.run(run())[-1]
    assert (last["event"], last["category"]) == ("error", "server")


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [(401, "application/json", b'{"error": "who"}'), (500, "text/plain", b"oh\xff"), (200, "text/html", b"<html>")],
)
def test_an_answer_without_mcp_is_shown(status: int, kind: str, body: bytes) -> None:
    last = tried(lambda _message: (status, kind, body))[-1]
    assert (last["event"], last["status"]) == ("answer", status)


def test_a_server_that_asks_without_end() -> None:
    wanted = {"resultType": "input_required", "inputRequests": {"a": {"method": "elicitation/create"}}}
    events = tried(lambda message: modern(message, wanted))
    assert "asked for more input 10 times" in events[-1]["message"]
    assert [each["event"] for each in events].count("elicitation") == 10


@pytest.mark.parametrize("wanted", [{"method": "sampling/createMessage"}, {}, "x", None])
def test_a_server_that_asks_for_something_else(wanted: object) -> None:
    asked = {"resultType": "input_required", "inputRequests": {"a": wanted}}
    assert "which the console cannot do" in tried(lambda message: modern(message, asked))[-1]["message"]


@pytest.mark.parametrize("requests", [[], "x", 7, {"a": {"method": "elicitation/create", "params": "x"}}])
def test_input_requests_of_another_shape_are_no_crash(requests: object) -> None:
    asked = {"resultType": "input_required", "inputRequests": requests}
    assert tried(lambda message: modern(message, asked))[-1]["event"] == "error"


@pytest.mark.parametrize("has_sessions", [True, False])
def test_meta_of_the_person_that_is_no_object(has_sessions: bool) -> None:
    async def run() -> list[dict[str, Any]]:
        with served(lambda message: modern(message, {})) as url:
            params = {"_meta": "x"}
            return [
                dict(event) async for event in Exchange().run(url, {}, "tools/list", params, has_sessions=has_sessions)
            ]

    assert "_meta is not an object" in asyncio.run(run())[-1]["message"]


def test_notifications_of_any_shape_are_told() -> None:
    said = [
        {"method": "notifications/progress", "params": {"progress": "x", "total": {}, "message": 7}},
        {"method": "notifications/progress", "params": {"progress": "1", "total": 10**400}},
        {"method": "notifications/progress", "params": []},
        {"method": "notifications/message", "params": {"level": 7, "data": ["\ud800"]}},
        {"method": "unheard of"},
        {"id": 7, "method": "ping"},
        "no message",
    ]

    def reply(message: dict[str, Any]) -> Reply:
        if message.get("method") != "tools/call":
            return modern(message, {}) if "method" in message else (202, "text/plain", b"")
        last = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}
        lines = [{"jsonrpc": "2.0", **each} if isinstance(each, dict) else each for each in said]
        return 200, "text/event-stream", "".join(f"data: {json.dumps(each)}\n\n" for each in [*lines, last]).encode()

    events = tried(reply)
    assert [each["event"] for each in events] == ["start", "request", *["progress"] * 3, "log", "answer"]
    assert events[2]["message"] == "7"
    assert (events[3]["progress"], events[3]["total"]) == (0, None)


@pytest.mark.parametrize("versions", [7, {}, None, "2026-07-28"])
def test_versions_of_another_shape_are_the_older_era(versions: object) -> None:
    def reply(message: dict[str, Any]) -> Reply:
        old = {"protocolVersion": "\u00e9", "capabilities": {}}
        answers = {"server/discover": {"supportedVersions": versions}, "initialize": old}
        return result(message, answers.get(message["method"], {"content": []}))

    last = tried(reply)[-1]
    assert (last["event"], last["status"]) == ("answer", 200)


@pytest.mark.parametrize(
    "said",
    [
        {"supportedVersions": 7},
        {"protocolVersion": "2025\u00e9"},
        {"protocolVersion": ["2025-11-25"]},
        {"protocolVersion": "2025-11-25\r\nX-More: 1"},
        {"padding": "x" * 5_000_000},
    ],
)
@pytest.mark.parametrize("has_sessions", [True, False])
def test_a_handshake_of_any_shape_is_no_crash(said: dict[str, Any], has_sessions: bool) -> None:
    async def run() -> list[dict[str, Any]]:
        with served(lambda message: result(message, said)) as url:
            events = Exchange().run(url, {}, "tools/list", {}, has_sessions=has_sessions)
            return [dict(event) async for event in events]

    assert asyncio.run(run())[-1]["event"] in ("answer", "error")


def test_a_server_that_asks_for_everything_at_once() -> None:
    asked = b'data: {"jsonrpc": "2.0", "id": 1, "method": "elicitation/create"}\n\n'

    def reply(message: dict[str, Any]) -> Reply:
        is_call = message.get("method") == "tools/call"
        return (200, "text/event-stream", asked * 50_000) if is_call else result(message, {})

    async def run() -> list[dict[str, Any]]:
        with served(reply) as url:
            events = Exchange().run(url, {}, "tools/call", {"name": "x"}, has_sessions=True)
            return [dict(event) async for event in events]

    events = asyncio.run(asyncio.wait_for(run(), 60))
    assert "more than 100 things" in events[-1]["message"]
    assert len(events) < 110


def test_numbers_that_are_no_json_reach_no_browser() -> None:
    asked = b'{"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": %s}}'
    lines = b"".join(b"data: " + asked % number + b"\n\n" for number in (b"NaN", b"1e400", b"1"))

    def reply(message: dict[str, Any]) -> Reply:
        is_call = message.get("method") == "tools/call"
        return (200, "text/event-stream", lines) if is_call else result(message, {})

    assert [event["progress"] for event in tried(reply) if event["event"] == "progress"] == [1]
