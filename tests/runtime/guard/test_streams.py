"""Tests calls over HTTP+SSE: posted to /messages/, answered on the stream, recorded like any other."""

from __future__ import annotations

import asyncio
import hashlib
import time

import pytest

from homeport_runtime.asgi import Message, Receive, Scope, Send
from homeport_runtime.guard.access import Access, ClientToken
from homeport_runtime.guard.open_streams import OpenStreams, Stream
from homeport_runtime.guard.streams import StreamCalls
from homeport_runtime.guard.watched import Watched
from homeport_runtime.protocol.messages import MAX_BODY

from ..conftest import DEADLINE_S, JSON, call, message, wait_for
from ..sse import post, session
from ..workers import Worker, Workers

KINDS = ["fastmcp2", "fastmcp4", "mcp1_fastmcp", "mcp1_lowlevel", "mcp2_lowlevel", "mcp2_mcpserver"]


def calls(worker: Worker, tool: str) -> list[str]:
    return [r["call"]["status"] for r in worker.records() if r.get("call", {}).get("tool") == tool]


@pytest.mark.parametrize("kind", KINDS)
def test_calls_are_recorded_with_their_outcome(workers: Workers, kind: str) -> None:
    worker = workers.kind(kind)
    with session(worker) as (stream, path):
        post(worker, path, call("add", request_id=1, a=1, b=2))
        assert stream.next()["id"] == 1
        post(worker, path, call("fail", request_id="two"))
        assert stream.next()["id"] == "two"
        assert wait_for(lambda: calls(worker, "add")) == ["ok"]
        assert wait_for(lambda: calls(worker, "fail")) == ["error"]
        post(worker, path, call("slow", request_id=3, steps=2))
        assert stream.next()["id"] == 3
        # The tool waits for its release, which never comes.
        post(worker, path, message("tools/call", {"name": "slow", "arguments": {"steps": 2, "token": "4"}}, 4))
    if kind != "fastmcp2":
        # fastmcp 2 does not notice that its client is gone before the tool has ended.
        wait_for(lambda: calls(worker, "slow") == ["ok", "abandoned"])
    (worker.folder / "work" / "released-4").touch()
    wait_for(lambda: len(calls(worker, "slow")) == 2)


def test_a_session_hears_on_its_stream_that_its_token_has_ended(workers: Workers) -> None:
    access = Access((ClientToken(hashlib.sha256(b"valid").hexdigest()),)).to_data()
    worker = workers.kind("mcp2_lowlevel", access=access)
    valid, ended = {"authorization": "Bearer valid"}, {"authorization": "Bearer ended"}

    def post(path: str, body: JSON, headers: dict[str, str]) -> int:
        with worker.request("POST", path, body, headers) as reply:
            return reply.status

    with worker.request("GET", "/sse", headers={"accept": "text/event-stream", **valid}) as stream:
        path = stream.event()[1]
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        assert post(path, message("initialize", hello, 0), valid) == 202
        assert stream.next()["id"] == 0
        assert post(path, call("add", request_id=1, a=1, b=2), ended) == 202
        refused = stream.next()
        assert (refused["id"], refused["error"]["data"]["reason"]) == (1, "invalid_token")
        assert post("/messages/?session_id=" + "0" * 32, call("add", a=1, b=2), ended) == 401
    assert calls(worker, "add") == []


def test_a_call_to_no_session_is_an_error(workers: Workers) -> None:
    worker = workers.kind("mcp2_lowlevel")
    with session(worker) as (_, path):
        for unknown in ("/messages/?session_id=" + "0" * 32, "/messages/"):
            with worker.request("POST", unknown, call("add", a=1, b=1)) as reply:
                assert reply.status in (400, 404)
        with worker.request("POST", path, call("add", a=1, b=1) | {"jsonrpc": "1"}) as reply:
            assert reply.status == 400
        assert wait_for(lambda: len(calls(worker, "add")) == 3)
        assert set(calls(worker, "add")) == {"error"}


def test_nothing_is_kept_of_a_stream_that_broke() -> None:

    streams = StreamCalls()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        event = b"event: endpoint\r\ndata: /messages/?session_id=abc\r\n\r\n"
        await send({"type": "http.response.body", "body": event, "more_body": True})
        assert streams._sessions
        raise OSError("gone")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    with pytest.raises(OSError, match="gone"):
        asyncio.run(streams.follow(app, {}, receive, send, OpenStreams(), None))
    assert not streams._sessions


class Call(Watched):
    message_id = 7

    def _write(self, _status: str, _answer: object) -> None:
        pass


def test_a_stream_in_use_ends_with_an_answer_and_not_while_a_message_may_be_on_its_way() -> None:
    sent: list[Message] = []

    async def send(part: Message) -> None:
        sent.append(part)

    async def run() -> None:
        calls, streams, answers = StreamCalls(), OpenStreams(), asyncio.Event()

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            head = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            event = b"event: endpoint\r\ndata: /messages/?session_id=abc\r\n\r\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await answers.wait()
            answer = b'data: {"jsonrpc":"2.0","id":7,"result":{}}\r\n\r\n'
            await send({"type": "http.response.body", "body": answer, "more_body": True})
            await receive()

        async def nothing() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        following = asyncio.ensure_future(calls.follow(app, {}, nothing, send, streams, None))
        while len(sent) < 2:
            await asyncio.sleep(0)
        await streams.end_at_rest(time.monotonic() - DEADLINE_S)
        assert sent[-1]["more_body"], "its client has just heard something, and may have posted"
        posted: Scope = {"query_string": b"session_id=abc", "headers": []}
        calls.post(posted, b"", call("add", request_id=7), send)
        calls.expect(posted, Call())
        answers.set()
        await asyncio.wait_for(following, DEADLINE_S)

    asyncio.run(run())
    # In one piece: a client that heard its answer first would post its next message to a stream that has ended.
    assert [part.get("more_body") for part in sent] == [None, True, False]
    assert b'"id":7' in sent[2]["body"]


def test_a_stream_at_rest_ends_at_once() -> None:
    sent: list[Message] = []

    async def send(part: Message) -> None:
        sent.append(part)

    async def run() -> None:
        streams = OpenStreams()
        disconnected = asyncio.Event()

        async def app(_scope: Scope, receive: Receive, send: Send) -> None:
            head = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            assert (await receive())["type"] == "http.disconnect"
            disconnected.set()

        async def nothing() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        held = asyncio.ensure_future(streams.hold(app, {}, Stream(nothing, send)))
        while not sent:
            await asyncio.sleep(0)
        await streams.end_at_rest(time.monotonic() + DEADLINE_S)
        await asyncio.wait_for(held, DEADLINE_S)
        assert disconnected.is_set()

    asyncio.run(run())
    assert sent[-1]["more_body"] is False


@pytest.mark.parametrize("order", [("jsonrpc", "id", "method", "params"), ("method", "params", "jsonrpc", "id")])
def test_what_is_too_large_is_refused_on_the_stream(workers: Workers, order: tuple[str, ...]) -> None:
    """An HTTP error would leave a client of mcp 1.x waiting for ever."""
    worker = workers.kind("mcp2_lowlevel")
    with session(worker) as (stream, path):
        whole = message("tools/call", {"name": "add", "arguments": {"a": {"id": 5}, "b": "x" * MAX_BODY}}, "large")
        post(worker, path, {key: whole[key] for key in order})
        answer = stream.next()
        assert (answer["id"], answer["error"]["code"]) == ("large", -32600)
        post(worker, path, call("add", request_id=6, a=1, b=2))
        assert stream.next()["id"] == 6
