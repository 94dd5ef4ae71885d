"""Tests two processes of one project that share a table alone: each a guard with a small app behind it, on moto."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from homeport_runtime.asgi import Headers, Message, Receive, Scope, Send, header, send_json
from homeport_runtime.aws.dynamodb import Item, Table
from homeport_runtime.aws.errors import AWSError
from homeport_runtime.guard.access import Access
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names
from homeport_runtime.protocol.jsonrpc import event
from homeport_runtime.protocol.messages import MAX_BODY, read_body
from homeport_runtime.protocol.probe import call_app
from homeport_runtime.relay import instances
from homeport_runtime.relay.instances import InstanceRelay
from homeport_runtime.relay.mailbox import Mailbox
from homeport_runtime.relay.sealing import Seal
from tests.aws.mailbox import DynamoDB

from ..conftest import DEADLINE_S, JSON, message

SESSION = "5e551011" * 4
# The key under which the mailbox's table has the session.
KEY = {"pk": Seal(SESSION).place, "sk": "s"}
TOKEN = "homeport_token"
HOST = (b"host", b"localhost")


class Server:
    """Its app knows one session, puts what was posted onto its stream with the token that came with it, and refuses
    what says so; a message that says `wait` is never answered, `fail` is an error of its own.
    """

    def __init__(self, table: str, token: str | None = None) -> None:
        self.sends: list[Send] = []
        access = Access.of_hashes(hashlib.sha256(token.encode()).hexdigest()) if token else None
        self.guard = Guard(self._app, Names([]), access)
        self.table = Table(table)
        self.mailbox = Mailbox(self.table)
        self.guard.sessions.relay = InstanceRelay(self.mailbox, self.guard.sessions.deliver)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/sse":
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            endpoint = f"event: endpoint\r\ndata: /messages/?session_id={SESSION}\r\n\r\n".encode()
            await send({"type": "http.response.body", "body": endpoint, "more_body": True})
            self.sends.append(send)
            while (await receive())["type"] != "http.disconnect":
                pass
            self.sends.remove(send)
            return
        said = json.loads(await read_body(receive))
        if not self.sends or said["method"] == "refuse":
            await send_json(send, 403 if self.sends else 404, {"error": "not here"})
            return
        if said["method"] == "fail":
            raise RuntimeError("hunter2")
        if said["method"] == "wait":
            await asyncio.Event().wait()
        await send_json(send, 202, {})
        said["token"] = header(scope, b"authorization")
        await self.sends[-1]({"type": "http.response.body", "body": event(said), "more_body": True})

    @asynccontextmanager
    async def stream(self, *headers: tuple[bytes, bytes]) -> AsyncIterator[asyncio.Queue[bytes]]:
        """Opens GET /sse, and yields its events without the first."""
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(part: Message) -> None:
            if part.get("body"):
                pieces.put_nowait(part["body"])

        scope = {"type": "http", "method": "GET", "path": "/sse", "query_string": b"", "headers": [HOST, *headers]}
        serving = asyncio.ensure_future(self.guard(scope, receive, send))
        serving.add_done_callback(lambda _: pieces.put_nowait(b"the end"))
        try:
            assert b"endpoint" in await asyncio.wait_for(pieces.get(), DEADLINE_S)
            yield pieces
        finally:
            gone.set()
            await asyncio.wait_for(serving, DEADLINE_S)

    async def post(self, said: JSON, *headers: tuple[bytes, bytes], session: str = SESSION) -> int:
        given: Headers = [HOST, *headers]
        body, query = json.dumps(said).encode(), f"session_id={session}".encode()
        status, _, _ = await call_app(self.guard, "POST", "/messages/", given, body, query)
        return status


async def next_of(pieces: asyncio.Queue[bytes]) -> JSON:
    piece = await asyncio.wait_for(pieces.get(), DEADLINE_S)
    answer: JSON = json.loads(piece.partition(b"data: ")[2])
    return answer


@pytest.fixture(autouse=True)
def settings(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Server] = []

    def start(table: str, token: str | None = None) -> Server:
        running.append(Server(table, token))
        return running[-1]

    yield start
    for server in running:
        server.table.close()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await work()

    asyncio.run(in_time())


def test_each_sender_is_heard_in_its_order_and_nothing_is_kept(dynamodb: DynamoDB, serve: Serve) -> None:
    table = dynamodb.table()
    holder, first, second = serve(table), serve(table), serve(table)

    async def say(sender: Server, name: str) -> None:
        for number in range(20):
            assert await sender.post(message(name, {}, number)) == 202

    async def work() -> None:
        async with holder.stream() as pieces:
            await asyncio.gather(say(first, "first"), say(second, "second"))
            heard = [await next_of(pieces) for _ in range(40)]
            for name in ("first", "second"):
                assert [one["id"] for one in heard if one["method"] == name] == list(range(20))
            assert await first.post(message("large", {"text": "x" * 1_000_000})) == 202
            assert len((await next_of(pieces))["params"]["text"]) == 1_000_000
            assert pieces.empty()
        assert dynamodb.items(table) == []
        assert asyncio.all_tasks() == {asyncio.current_task()}, "somebody still looks at the table"
        assert await first.post(message("late")) == 404

    run(work)


def test_where_the_stream_is_a_message_needs_no_table(dynamodb: DynamoDB, serve: Serve) -> None:
    server = serve(dynamodb.table())

    async def work() -> None:
        dynamodb.calls.clear()
        assert await server.post(message("hello"), session="") == 404
        assert await server.post(message("hello"), session="x" * 300) == 404
        assert dynamodb.calls == []
        async with server.stream() as pieces:
            for number in range(10):
                assert await server.post(message("here", {}, number)) == 202
                assert (await next_of(pieces))["id"] == number
            # The session is made known, and looked for.
            assert [call for call in dynamodb.calls if call != "Query"] == ["PutItem"]

    run(work)


def test_who_is_not_there_or_no_longer_is_unknown(dynamodb: DynamoDB, serve: Serve) -> None:
    table = dynamodb.table()
    server = serve(table)
    server.table.put({**KEY, "written": 0, "expires": int(time.time())})

    async def work() -> None:
        assert await server.post(message("hello")) == 404
        assert await server.post(message("hello"), session="f" * 32) == 404

    run(work)


def test_what_the_app_refuses_is_said_on_the_stream_and_what_takes_long_holds_nobody_back(
    dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "PATIENCE_S", 0.1)
    table = dynamodb.table()
    holder, other = serve(table), serve(table)

    async def work() -> None:
        async with holder.stream() as pieces:
            for method in ("wait", "refuse", "fail", "next"):
                assert await other.post(message(method, {}, method)) == 202
            refused = await next_of(pieces)
            assert (refused["id"], refused["error"]["code"]) == ("refuse", -32600)
            assert "not here" in refused["error"]["message"]
            failed = await next_of(pieces)
            assert (failed["id"], failed["error"]) == ("fail", {"code": -32603, "message": "Internal Server Error"})
            assert (await next_of(pieces))["id"] == "next"

    run(work)


def test_a_message_that_is_too_large_is_refused_on_a_stream_elsewhere(dynamodb: DynamoDB, serve: Serve) -> None:
    table = dynamodb.table()
    holder, other = serve(table), serve(table)

    async def work() -> None:
        async with holder.stream() as pieces:
            large = message("hello", {"text": "x" * MAX_BODY}, 5)
            assert await other.post(large) == 202
            refused = await next_of(pieces)
            assert (refused["id"], refused["error"]["code"]) == (5, -32600)
            assert await other.post(message("next")) == 202
            assert (await next_of(pieces))["method"] == "next"
            assert await other.post(large, session="f" * 32) == 413, "nobody has that session"

    run(work)


def test_a_message_that_the_table_does_not_take_is_refused_on_its_stream(
    dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = dynamodb.table()
    holder, other = serve(table), serve(table)
    put = other.table.put

    def throttled(item: Item, *more: Any) -> bool:
        if len(bytes(item["body"])) > 10_000:  # type: ignore[arg-type]
            raise AWSError("ThrottlingException", "PutItem")
        return put(item, *more)

    async def work() -> None:
        async with holder.stream() as pieces:
            monkeypatch.setattr(other.table, "put", throttled)
            assert await other.post(message("hello", {"text": "x" * 20_000}, 5)) == 202
            refused = await next_of(pieces)
            assert (refused["id"], refused["error"]["code"]) == (5, -32000)
            assert "could not be handed over" in refused["error"]["data"]["detail"]

    run(work)


def test_who_reads_the_table_learns_nothing(dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    table = dynamodb.table()
    holder, other = serve(table), serve(table)
    stored = b""

    def before(_name: str, body: bytes) -> bool:
        nonlocal stored
        item = json.loads(body).get("Item", {})
        stored += body + b"".join(base64.b64decode(value["B"]) for value in item.values() if "B" in value)
        return True

    async def work() -> None:
        async with holder.stream() as pieces:
            assert await other.post(message("hello", {"word": "hidden"}), (b"cookie", b"id=secret")) == 202
            assert (await next_of(pieces))["params"] == {"word": "hidden"}

    monkeypatch.setattr(dynamodb, "before", before)
    run(work)
    assert KEY["pk"].encode() in stored
    assert not [word for word in (SESSION, "hello", "hidden", "secret") if word.encode() in stored]


def test_our_token_stays_with_its_guard(dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    table = dynamodb.table()
    holder, other = serve(table, TOKEN), serve(table, TOKEN)
    ours = (b"authorization", f"Bearer {TOKEN}".encode())
    stored: list[bytes] = []

    def before(_name: str, body: bytes) -> bool:
        stored.append(body)
        return True

    async def work() -> None:
        async with holder.stream(ours) as pieces:
            assert await other.post(message("hello")) == 401
            assert await other.post(message("hello"), ours) == 202
            assert (await next_of(pieces))["token"] is None

    monkeypatch.setattr(dynamodb, "before", before)
    run(work)
    assert stored
    assert not any(TOKEN.encode() in body for body in stored)


def test_a_token_of_the_servers_own_comes_with_its_message(dynamodb: DynamoDB, serve: Serve) -> None:
    table = dynamodb.table()
    holder, other = serve(table), serve(table)

    async def work() -> None:
        async with holder.stream() as pieces:
            assert await other.post(message("hello"), (b"authorization", b"Bearer theirs")) == 202
            assert (await next_of(pieces))["token"] == "Bearer theirs"
        assert dynamodb.items(table) == []

    run(work)


def test_a_number_whose_message_does_not_come_is_passed_over(
    dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "MISSING_S", 0.3)
    table = dynamodb.table()
    holder, other = serve(table), serve(table)

    async def work() -> None:
        async with holder.stream() as pieces:
            # Its sender has died.
            lost = other.mailbox._next_number(SESSION)
            assert lost == 1
            assert await other.post(message("behind")) == 202
            assert (await next_of(pieces))["method"] == "behind"

            # Or was only slow: the number is no longer free, and the message gets another one.
            numbers = iter([lost, 3])
            monkeypatch.setattr(other.mailbox, "_next_number", lambda _session: next(numbers))
            assert await other.post(message("again")) == 202
            assert (await next_of(pieces))["method"] == "again"
            monkeypatch.setattr(other.mailbox, "_next_number", lambda _session: lost)
            assert await other.post(message("never")) == 503
            assert pieces.empty()

    run(work)


def test_a_session_stays_known_while_its_stream_is_open(
    dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "RENEW_S", 0.05)
    table = dynamodb.table()
    holder, other = serve(table), serve(table)

    async def work() -> None:
        async with holder.stream() as pieces:
            other.table.update(KEY, "SET expires = :past", {":past": 0})
            while await other.post(message("hello")) == 404:
                pass
            assert (await next_of(pieces))["method"] == "hello"

    run(work)


def test_a_tool_that_holds_up_the_event_loop_ends_no_session(
    dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "RENEW_S", 0.05)
    table = dynamodb.table()
    holder = serve(table)

    async def work() -> None:
        async with holder.stream():
            holder.table.update(KEY, "SET expires = :past", {":past": 0})
            until = time.monotonic() + DEADLINE_S
            # The loop stands still.
            while [item["expires"]["N"] for item in dynamodb.items(table)] == ["0"]:
                assert time.monotonic() < until
                time.sleep(0.05)

    run(work)


def test_without_its_table_no_stream_is_opened(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        with pytest.raises(AWSError, match="ResourceNotFoundException"):
            async with serve("nowhere").stream():
                pass

    run(work)
    assert "no session over /sse can be opened" in capfd.readouterr().out


def test_a_stream_that_cannot_be_posted_to_ends(
    dynamodb: DynamoDB, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "RENEW_S", 0.05)
    table = dynamodb.table()
    holder = serve(table)

    async def work() -> None:
        async with holder.stream() as pieces:
            holder.mailbox.close(SESSION)
            assert b"retry: " in await asyncio.wait_for(pieces.get(), DEADLINE_S)
            while holder.sends:
                await asyncio.sleep(0.01)

    run(work)
