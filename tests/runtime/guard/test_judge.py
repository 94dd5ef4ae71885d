"""Tests what the guard passes on where callers have scopes and limits, and that nothing goes around it."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.asgi import Headers, Receive, Scope, Send, send_json
from homeport_runtime.guard.access import Access, ClientToken
from homeport_runtime.guard.auth import ClientTokens
from homeport_runtime.guard.caller import CALLER, Caller
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.judge import Judge
from homeport_runtime.guard.limits import Limits
from homeport_runtime.guard.names import Names
from homeport_runtime.guard.scopes import Scopes, Target
from homeport_runtime.guard.windows import SharedWindows
from homeport_runtime.protocol.messages import MAX_BODY
from homeport_runtime.protocol.probe import call_app

from ..conftest import JSON

SCOPES = {
    "rules": {"add": ["write"], "drop": None, "resource:x://*": ["read"], "*": ["read"], "resource:x://s/*": ["admin"]},
    "implies": {"write": ["read"]},
}
LIMITS: JSON = {
    "read": None,
    "write": [2, 60.0],
    "timeout_s": None,
    "tools": {"list": {"rate": [1, 3600.0], "timeout_s": None}},
    "clients": {"fast": {"write": [3, 60.0], "read": None}},
}
TOKENS = {
    "reader": ClientToken("", "reader", scopes=("read",)),
    "writer": ClientToken("", "writer", "alice", ("write",)),
    "fast": ClientToken("", "fast", scopes=("write",)),
    "late": ClientToken("", "late", expires_at=1.0),
    "all": ClientToken(""),
}


class Server:
    """Is a guard with the tokens above, before an app that keeps what it gets."""

    def __init__(self, scopes: JSON | None = SCOPES, limits: JSON | None = None, *, guarded: bool = True) -> None:
        self.bodies: list[bytes] = []
        tokens = tuple(
            ClientToken(hashlib.sha256(name.encode()).hexdigest(), each.client, each.user, each.scopes, each.expires_at)
            for name, each in TOKENS.items()
        )
        judge = Judge.of(scopes, limits, ["list"], SharedWindows)
        self.guard = Guard(self._app, Names(()), Access(tokens) if guarded else None, judge)

    async def _app(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive())["body"])
        await send_json(send, 200, {})

    def post(
        self, body: JSON | list[Any] | bytes, token: str = "all", path: str = "/mcp", **headers: str
    ) -> tuple[int, dict[str, str], JSON]:
        fields: Headers = [(b"authorization", f"Bearer {token}".encode())]
        others = {name.replace("_", "-"): text for name, text in headers.items()}
        given = {"host": "localhost", "content-type": "application/json", **others}
        fields += [(name.encode(), text.encode()) for name, text in given.items()]
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, names, answer = asyncio.run(call_app(self.guard, "POST", path, fields, sent))
        return status, names, json.loads(answer)

    def status(self, body: JSON | list[Any] | bytes, token: str = "all", path: str = "/mcp", **headers: str) -> int:
        return self.post(body, token, path, **headers)[0]


def call(name: object, **arguments: object) -> JSON:
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def read(uri: str) -> JSON:
    return {"jsonrpc": "2.0", "id": 2, "method": "resources/read", "params": {"uri": uri}}


def test_a_call_beyond_a_callers_scopes_says_which_it_needs_and_does_not_reach_the_server() -> None:
    server = Server()
    status, headers, answer = server.post(call("add"), "reader", user_agent="curl")
    assert status == 403
    assert headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="read write"'
    assert answer == {
        "jsonrpc": "2.0",
        "id": 2,
        "error": {
            "code": -32001,
            "message": "Forbidden",
            "data": {
                "detail": "add needs the scope write",
                "retryable": False,
                "required_scope": "write",
                "reason": "insufficient_scope",
            },
        },
    }
    assert server.bodies == []
    assert [server.status(call("add"), token) for token in ("writer", "all", "late", "nobody")] == [200, 200, 401, 401]


@pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/authorize", "/token", "/register"])
def test_where_clients_look_for_an_authorization_server_there_is_none(path: str) -> None:
    """After a 401 there mcp-remote would wait for a sign-in that nobody has begun."""
    assert Server().status({"redirect_uris": []}, "nobody", path) == 404


def test_a_client_of_mcp_1_gets_the_same_without_the_status_that_ends_its_session() -> None:
    status, headers, answer = Server().post(call("add"), "reader", user_agent="python-httpx/0.28.1")
    assert (status, answer["error"]["code"]) == (200, -32001)
    assert "www-authenticate" not in headers


@pytest.mark.parametrize(
    ("body", "token", "status"),
    [
        (call("drop"), "all", 403),
        (call("other"), "reader", 200),
        (read("x://1"), "reader", 200),
        (read("x://s/1"), "writer", 403),
        (read("y://1"), "reader", 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "reader", 200),
    ],
)
def test_rules_of_tools_and_resources(body: JSON, token: str, status: int) -> None:
    assert Server().status(body, token) == status


TWICE = b'{"jsonrpc":"2.0","id":2,"method":"ping","method":"tools/call","params":{"name":"list","name":"add"}}'


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp", "/messages/", "/sse"])
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ([call("add")], {}, 400),
        (TWICE, {}, 403),
        (TWICE, {"content_type": "text/plain"}, 403),
        (json.dumps(call("add")).encode("utf-16"), {}, 403),
        (call("add"), {"content_encoding": "gzip"}, 415),
        ({**call("list"), "Method": "tools/call"}, {}, 400),
        ({**call("list"), "params": {"name": "list", "NAME": "add"}}, {}, 400),
        ({**call("list"), "params": ["add"]}, {}, 400),
        (call(["add"]), {}, 400),
        (read("x://%73/1"), {}, 400),
        (read("x://a/../s/1"), {}, 400),
        (b"[" * 50_000, {}, 400),
        (call("add", text="x" * MAX_BODY), {}, 413),
    ],
)
def test_nothing_goes_around_the_rules(path: str, body: Any, headers: dict[str, str], status: int) -> None:
    server = Server()
    assert server.status(body, "reader", path, **headers) == status
    assert server.bodies == []


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp"])
def test_the_server_gets_the_message_that_was_judged(path: str) -> None:
    server = Server()
    assert server.status(TWICE, "writer", path) == 200
    assert server.bodies == [b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add"}}']


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp"])
def test_what_can_be_read_in_one_way_is_passed_on_as_it_came(path: str) -> None:
    server, said = Server(), json.dumps(call("other", text="a: b", deep=[{"x": 1}, {"x": 2}]), indent=2).encode()
    assert server.status(said, "reader", path) == 200
    assert server.bodies == [said]


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp"])
@pytest.mark.parametrize(
    ("arguments", "judged"),
    [
        (b'{"a":1,"a":2}', b'{"a":2}'),
        (b'[{"b":{"a":1,"c":3,"a":2}}]', b'[{"b":{"a":2,"c":3}}]'),
        (rb'{"a":1,"\u0061":2}', b'{"a":2}'),
        (rb'{"a":"\u002f"}', b'{"a":"/"}'),
        ('{"a":"é"}'.encode(), rb'{"a":"\u00e9"}'),
        (b'{"a":"\xed\xa0\x80"}', rb'{"a":"\ud800"}'),
    ],
)
def test_what_a_decoder_could_read_otherwise_is_written_anew(path: str, arguments: bytes, judged: bytes) -> None:
    server = Server()
    before, after = json.dumps(call("other"), separators=(",", ":")).encode().split(b"{}")
    assert server.status(before + arguments + after, "reader", path) == 200
    assert server.bodies == [before + judged + after]


def test_a_message_in_another_encoding_is_written_anew() -> None:
    server, said = Server(), json.dumps(call("other"), separators=(",", ":"))
    sent = [said.encode("utf-16"), said.encode("utf-16-le"), said.encode("utf-8-sig"), f" {said}\n".encode()]
    assert [server.status(each, "reader") for each in sent] == [200] * 4
    assert server.bodies == [said.encode()] * 4


def test_what_one_caller_may_is_not_what_another_may() -> None:
    """Of the same client, after the judge has got to know the call."""
    judge = Judge(Scopes.read(SCOPES), None)

    def may(message: JSON, *granted: str) -> bool:
        scope: Scope = {"path": "/mcp", "headers": [], CALLER: Caller("client", None, frozenset(granted))}
        return asyncio.run(judge.refusal(scope, message, None)) is None

    for _ in range(2):
        assert may(call("add"), "write")
        assert not may(call("add"), "read")
        assert may(call("resource:x://s/1"), "read"), "a tool"
        assert not may(read("x://s/1"), "read")
        assert may(read("x://s/1"), "admin")
        assert not may(call("drop"), "write", "admin")


def test_a_token_ends_also_after_it_was_good(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    hashed = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("one", "two")}
    tokens = ClientTokens((ClientToken(hashed["one"], "a", expires_at=2000.0), ClientToken(hashed["two"], "b")))

    def client(authorization: str) -> str | None:
        found = tokens.caller({"headers": [(b"authorization", authorization.encode())]})
        return found.client if found is not None else None

    for _ in range(2):
        assert [client(f"Bearer {token}") for token in ("one", "two", "on", "onetwo", "")] == [
            "a",
            "b",
            None,
            None,
            None,
        ]
        assert [client("bearer  one "), client("one"), client("Basic one")] == ["a", None, None]
        assert tokens.take_used() == sorted(hashed.values())
    now[0] = 2000.0
    assert [client("Bearer one"), client("Bearer two")] == [None, "b"]
    assert tokens.take_used() == [hashed["two"]]


def test_what_else_an_app_takes_is_left_alone() -> None:
    server, rows = Server(), [{"amount": 1}, {"amount": 2}]
    form = b"a=1&b=2"
    assert server.status(rows, "reader", "/rows") == 200
    assert server.status(b"", "reader", "/logout") == 200
    assert server.status(form, "reader", "/form", content_type="application/x-www-form-urlencoded") == 200
    assert server.bodies == [json.dumps(rows).encode(), b"", form]


def test_without_rules_only_arrays_are_refused_and_bodies_stay_as_they_are() -> None:
    server = Server(scopes=None)
    assert server.status([call("add")]) == 400
    assert server.status(TWICE) == 200
    assert server.bodies == [TWICE]
    server = Server(scopes=None, guarded=False)
    assert server.status([call("add")]) == 200, "an app that everyone may call decides by itself"


def test_calls_beyond_a_rate_are_refused_until_there_is_room() -> None:
    server = Server(limits=LIMITS)
    assert [server.status(call("add"), "reader", user_agent="curl") for _ in range(5)] == [403] * 5
    assert [server.status(call("add"), "writer") for _ in range(2)] == [200, 200], "what is denied takes nothing"
    status, headers, answer = server.post(call("add"), "writer")
    assert (status, headers["ratelimit-policy"], headers["retry-after"]) == (429, '"write";q=2;w=60', "60")
    assert headers["ratelimit"].startswith('"write";r=0;t=')
    data = answer["error"]["data"]
    assert answer["error"] == {"code": -32000, "message": "Too many requests", "data": data}
    assert 0 < data.pop("retry_after_ms") <= 60_000
    assert data == {
        "detail": "2 write calls per minute for writer (alice)",
        "retryable": True,
        "reason": "rate_limited",
    }
    assert server.status(call("other"), "all") == 200, "another client has its own"
    assert [server.status(call("add"), "fast") for _ in range(4)] == [200, 200, 200, 429]
    assert [server.status({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "writer") for _ in range(5)] == [200] * 5
    assert [server.post(call("list"), "writer")[0] for _ in range(2)] == [200, 429]
    assert (
        server.post(call("list"), "writer")[2]["error"]["data"]["detail"]
        == "1 call of list per hour for writer (alice)"
    )
    assert server.status(read("x://1"), "writer") == 200, "a read"


def test_a_limit_that_cannot_be_counted_ends_no_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On a file system without locks."""
    limits = Limits(LIMITS, [], partial(SharedWindows, path=tmp_path / "windows"))

    def lock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", lock)
    scope: Scope = {"type": "http", "headers": []}
    buckets = limits.buckets(scope, Target("add", is_tool=True), ())
    assert {limits.refusal(scope, buckets) for _ in range(5)} == {None}
    assert "a call was not counted under [limits]: [Errno 37] No locks available" in capfd.readouterr().out
    with pytest.raises(OSError, match="No locks"):
        SharedWindows([], tmp_path / "others")


def test_who_signs_in_has_no_more_calls_with_more_clients() -> None:
    judge = Judge(None, Limits(LIMITS, [], SharedWindows))

    def refused(client: str, user: str) -> bool:
        scope = {CALLER: Caller(client, user, by_oauth=True)}
        return asyncio.run(judge.refusal(scope, call("add"), None)) is not None

    assert [refused(f"client-{number}", "alice") for number in range(3)] == [False, False, True]
    assert not refused("client-0", "bob")


def test_where_nobody_is_known_an_address_is_counted() -> None:
    server = Server(scopes=None, limits=LIMITS, guarded=False)
    assert [server.status(call("add"), f"{n}") for n in range(3)] == [200, 200, 429], (
        "a bearer that nobody checks is none"
    )


class Slow:
    """Is an app whose call ends when it is told that its client has left."""

    def __init__(self, *, streams: bool = False) -> None:
        self.ended: list[str] = []
        self._streams = streams

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if self._streams:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b": hello\r\n\r\n", "more_body": True})
        self.ended.append((await receive())["type"])
        await send({"type": "http.response.body", "body": b"never seen"})


@pytest.mark.parametrize("streams", [False, True])
def test_a_call_that_takes_too_long_is_answered_and_ended(*, streams: bool) -> None:
    app = Slow(streams=streams)
    judge = Judge.of(None, {**LIMITS, "timeout_s": 0.01, "write": None, "tools": {}, "clients": {}}, [], SharedWindows)
    guard = Guard(app, Names(()), None, judge)
    headers: Headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    status, _, body = asyncio.run(call_app(guard, "POST", "/mcp", headers, json.dumps(call("add")).encode()))
    assert status == (200 if streams else 504)
    answer = json.loads(body.split(b"data: ")[-1])
    data = {"detail": "add took longer than 0.01 s", "retryable": True, "retry_after_ms": 1000, "reason": "timeout"}
    assert (answer["id"], answer["error"]) == (2, {"code": -32000, "message": "Server error", "data": data})
    assert app.ended == ["http.disconnect"]
