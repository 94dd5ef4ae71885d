"""Tests what the guard says for the audit log of who called what, and of what it refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from homeport_runtime.asgi import Receive, Scope, Send, send_json
from homeport_runtime.guard.audit import STRANGERS, Audit
from homeport_runtime.guard.calls import CallRecord
from homeport_runtime.guard.open_calls import SLOT_BYTES, SLOTS, OpenCalls
from homeport_runtime.guard.operations import Operations
from platform_cli.audit import files
from platform_cli.audit.book import AuditBook
from platform_cli.audit.chain import NOTHING
from platform_cli.supervisor.journal import Journal
from platform_cli.supervisor.logbook import RECORD, LogBook

from ..conftest import JSON
from .test_judge import LIMITS, Server, call, read

Captured = pytest.CaptureFixture[str]


class Audited(Server):
    """Is that server with an audit log."""

    def __init__(self, *, limits: JSON | None = None) -> None:
        super().__init__(limits=limits)
        self.guard.passing.audit = Audit("redacted", ["amount"])

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = json.loads((await receive())["body"])
        self.bodies.append(b"")
        failed = message["params"].get("name") == "fail"
        result = {"content": [], "isError": failed}
        await send_json(send, 200, {"jsonrpc": "2.0", "id": message["id"], "result": result})


def said(capture: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Returns the lines of the audit log that a platform makes of what was written since this was asked before."""
    said = capture.readouterr().out.encode()
    with TemporaryDirectory() as folder:
        asyncio.run(_kept(Path(folder), said))
        return [json.loads(line) for line in files.lines(Path(folder, "audit"))]


async def _kept(folder: Path, said: bytes) -> None:
    journal = Journal(LogBook(folder / "log", "p"), AuditBook(folder / "audit", "p", NOTHING))
    for line in said.splitlines(keepends=True):
        journal.write_line(line, level="info", release=1, worker=1)
    journal.close()


def test_an_operation_says_who_used_what_by_which_scope(capfd: Captured) -> None:
    server = Audited()
    server.post(call("add", amount=5, category="food", password="x"), "writer")
    server.post(call("fail"), "all")
    server.post(read("x://1"), "reader")
    added, failed, was_read = said(capfd)
    assert {name: added[name] for name in ("client_id", "user_id", "tool_name", "result", "scopes_used")} == {
        "client_id": "writer", "user_id": "alice", "tool_name": "add", "result": "success", "scopes_used": ["write"],
    }  # fmt: skip
    assert added["arguments"] == {"amount": "[redacted]", "category": "food", "password": "[redacted]"}
    assert (failed["result"], failed["client_id"]) == ("error", "project-token")
    assert (was_read["method"], was_read["tool_name"], was_read["client_id"]) == ("resources/read", "x://1", "reader")


def test_an_operation_that_is_measured_has_one_record(capfd: Captured) -> None:
    server = Audited()
    server.guard.passing.operations = Operations()
    server.post(call("add", note="food", password="x"), "writer")
    server.post(call("fail"), "all")
    server.post(read("x://1"), "reader")
    records = capfd.readouterr()
    assert records.out.count("\n") == 3
    print(records.out, end="")
    added, failed, was_read = said(capfd)
    assert (added["client_id"], added["result"], added["scopes_used"]) == ("writer", "success", ["write"])
    assert added["arguments"] == {"note": "food", "password": "[redacted]"}
    assert failed["result"] == "error"
    assert (was_read["method"], was_read["tool_name"], was_read["result"]) == ("resources/read", "x://1", "success")
    assert all(line["request"] and line["ms"] > 0 and line["timestamp"] > "2026" for line in (added, failed, was_read))


def test_a_call_that_is_cut_off_is_kept_however_long_its_arguments_are(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    path.write_bytes(bytes(SLOTS * SLOT_BYTES))
    audit, open_calls = Audit("redacted", []), OpenCalls(path)
    scope: Scope = {"headers": [], "client": None}
    long = call("add", **dict.fromkeys(map(str, range(SLOT_BYTES // 100)), "x" * 100))
    for message, request in ((call("add", note="short"), "0011223344556677"), (long, "8899aabbccddeeff")):
        audited = audit.operation(scope, message)
        CallRecord(scope, message, request, cold=False, open_calls=open_calls, audited=audited)
    kept = [part.split(RECORD) for part in path.read_bytes().split(b"\0") if part]
    assert [(json.loads(record)["request"], json.loads(arguments)) for record, _who, arguments in reversed(kept)] == [
        ("0011223344556677", {"note": "short"}), ("8899aabbccddeeff", None),
    ]  # fmt: skip


def test_what_does_nothing_has_no_line(capfd: Captured) -> None:
    server = Audited()
    for method in ("initialize", "tools/list", "ping", "notifications/initialized"):
        server.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}})
    assert said(capfd) == []


@pytest.mark.parametrize(
    ("message", "token", "result", "reason", "tool"),
    [
        (call("add"), "reader", "denied", "insufficient_scope", "add"),
        (call("drop"), "all", "denied", "forbidden", "drop"),
        (call("add"), "stranger", "unauthorized", "invalid_token", None),
        ([call("add")], "all", "refused", "batch", None),
        (b"{", "all", "refused", "unreadable", None),
    ],
)
def test_a_refusal_has_a_line(
    capfd: Captured, message: JSON | list[Any] | bytes, token: str, result: str, reason: str, tool: str | None
) -> None:
    server = Audited()
    server.post(message, token)
    (line,) = said(capfd)
    assert (line["result"], line["reason"], line["tool_name"]) == (result, reason, tool)
    assert server.bodies == []


def test_a_call_beyond_a_limit_has_a_line(capfd: Captured) -> None:
    server = Audited(limits=LIMITS)
    for _ in range(3):
        server.post(call("add"), "writer")
    assert [line["result"] for line in said(capfd)] == ["success", "success", "limited"]


def test_strangers_do_not_fill_the_log(capfd: Captured) -> None:
    server = Audited()
    for _ in range(STRANGERS + 50):
        server.post(call("add"), "stranger")
    server.post(call("add"), "writer")
    assert [line["result"] for line in said(capfd)] == ["unauthorized"] * STRANGERS + ["success"]


def test_an_address_is_believed_where_the_platforms_own_proxy_names_it(capfd: Captured) -> None:
    server = Audited()
    server.guard._names.add("mcp.example.com")
    server.post(call("add"), "writer", x_forwarded_for="203.0.113.9, 192.0.2.7", host="mcp.example.com")
    server.post(call("add"), "writer", x_forwarded_for="203.0.113.9")
    behind, direct = said(capfd)
    assert behind["ip_address"] == "192.0.2.7", "what the nearest proxy saw"
    assert direct["ip_address"] != "203.0.113.9"


def test_nothing_is_passed_on_without_room_for_its_line(capfd: Captured) -> None:
    server = Audited()
    assert server.guard.passing.audit is not None
    server.guard.passing.audit.has_room = False
    status, headers, answer = server.post(call("add"), "writer", user_agent="curl")
    assert (status, headers["retry-after"], answer["error"]["code"]) == (503, "1", -32000)
    assert answer["error"]["data"]["reason"] == "audit_unavailable"
    assert answer["error"]["data"]["retryable"]
    assert server.bodies == []
    (line,) = said(capfd)
    assert (line["result"], line["reason"], line["tool_name"]) == ("refused", "audit_unavailable", "add")
    assert server.status({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}, "writer") == 200
    server.guard.passing.audit.has_room = True
    assert server.status(call("add"), "writer") == 200
