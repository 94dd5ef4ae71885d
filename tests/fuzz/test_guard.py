"""Tests JSON-RPC as strangers post it, and answers as servers give them, behind the guard."""

from __future__ import annotations

import asyncio
import json
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from homeport_runtime.asgi import Headers, Message, Receive, Scope, Send, send_json
from homeport_runtime.guard import calls
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names
from homeport_runtime.guard.watched import failed, problem_in
from homeport_runtime.protocol.messages import MAX_CALLS

from .values import JSON_VALUES, encoded, objects

INFO = objects(name=st.text(), version=st.text())
MESSAGE = objects(
    jsonrpc=st.just("2.0"),
    id=st.integers() | st.text(),
    method=st.just("tools/call"),
    params=objects(
        name=st.text(), arguments=JSON_VALUES, _meta=st.builds(lambda info: {calls.CLIENT_INFO: info}, INFO)
    ),
)
POSTED = MESSAGE | st.lists(MESSAGE, max_size=3)
ANSWER = objects(id=st.integers(), result=objects(isError=st.booleans()), error=JSON_VALUES)
NAMES = st.sampled_from([b"host", b"origin", b"content-type", b"content-length", b"user-agent", b"authorization"])
HEADERS = st.lists(st.tuples(NAMES, st.sampled_from([b"localhost", b"application/json", b"7"]) | st.binary()))


@given(
    path=st.sampled_from(["/mcp", "/mcp/", "/messages/", "/own", "/"]) | st.text(),
    query=st.binary(max_size=20),
    headers=HEADERS,
    body=encoded(POSTED),
    answer=ANSWER | st.lists(ANSWER, max_size=3),
    is_local=st.booleans(),
)
def test_whatever_is_posted_is_answered_once(
    path: str, query: bytes, headers: Headers, body: bytes, answer: object, is_local: bool
) -> None:
    sent: list[Message] = []
    records: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        got = await receive()
        # The guard asks the app about its own rules for an Origin first.
        assert scope["method"] != "POST" or got["body"] == body
        await send_json(send, 200, answer)

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": query,
        "headers": [(b"host", b"localhost"), *headers] if is_local else headers,
    }
    with mock.patch.object(calls, "write_record", lambda record: records.append(json.loads(record)["message"])):
        asyncio.run(Guard(app, Names(()))(scope, receive, send))
    assert [message["type"] for message in sent].count("http.response.start") == 1
    assert len(records) <= MAX_CALLS
    assert all(record.isprintable() and len(record) < 300 for record in records)


@given(encoded(ANSWER | st.lists(ANSWER, max_size=3)), st.sampled_from([b"", b"data: "]))
def test_an_answer_has_an_outcome(body: bytes, before: bytes) -> None:
    problem = problem_in(before + body)
    assert problem is None or failed(problem)


@given(st.text(), st.text())
def test_a_name_that_is_not_ours_is_not_let_in(host: str, origin: str) -> None:
    names = Names(("own.example",))
    known = (*("127.0.0.1", "localhost", "[::1]", "own.example"), "")
    if names.allows_host(host):
        assert any(name in host.lower() for name in known if name) or "::1" in host or "127" in host
    names.allows_origin(origin)
