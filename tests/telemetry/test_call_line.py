"""Tests that the quick way to read a call's record finds what the other way finds, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from homeport_runtime.asgi import Scope
from homeport_runtime.guard import calls
from homeport_runtime.guard.calls import CallRecord
from platform_cli.records import read_record
from platform_cli.telemetry.call_line import read_call_line
from platform_cli.telemetry.operation import called

TRACE = f"00-{'a' * 31}1-{'b' * 16}-01"
SCOPE: Scope = {"headers": [(b"user-agent", b"desk/1.0"), (b"mcp-protocol-version", b"2025-11-25")]}
LINE = (
    '{"time":1796021910.712,"level":"info","message":"tools/call add: ok","request":"bcd69c99418b602a","call":{'
    '"tool":"add","client":"desk/1","start":"warm","bytes_in":300,"protocol":"2026-07-28","status":"ok","ms":0.03,'
    '"bytes_out":123}}'
)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    lines: list[str] = []
    monkeypatch.setattr(calls, "write_record", lines.append)
    yield lines
    for line in lines:
        agree(line.encode())


def agree(line: bytes) -> bool:
    """Returns whether the quick way reads the line; then the other way reads the same."""
    quick = read_call_line(line)
    if quick is not None:
        record = read_record(line)
        assert record is not None
        assert (record["time"], called(record)) == quick
    return quick is not None


@pytest.mark.parametrize("scope", [SCOPE, {"headers": []}])
@pytest.mark.parametrize("meta", [{}, {"traceparent": TRACE}])
def test_what_the_runtime_writes_of_calls_is_read_quickly(
    written: list[str], scope: Scope, meta: dict[str, object]
) -> None:
    for name in ("add", "größe [1]: ok"):
        message = {"id": 1, "method": "tools/call", "params": {"name": name, "_meta": meta}}
        CallRecord(scope, message, "0123456789abcdef", cold=True, bytes_in=7).finish("ok")
    assert [agree(line.encode()) for line in written] == [True, True]


def test_what_a_caller_makes_up_and_failures_are_read_in_the_other_way(written: list[str]) -> None:
    for name, status in (('"', "ok"), ("\\", "ok"), ("", "ok"), ("x" * 9999, "ok"), ("add", "error")):
        message = {"id": 1, "method": "tools/call", "params": {"name": name}}
        CallRecord(SCOPE, message, "0123456789abcdef", cold=False).finish(status)
    assert len(written) == 5
    assert all(read_record(line) is not None for line in written)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1796021910.712", "9796021910.712"),
        ("1796021910.712", "0796021910.712"),
        ("1796021910.712", "1e9"),
        ("300", "007"),
        ("300", "9999999999"),
        ("0.03", "-0.03"),
        ("0.03", "00.03"),
        ('"add"', '"sub"'),
        ("add", "a\x1bdd"),
        ("add", "a\x9bdd"),
        ("add", "a\u202edd"),
        ("add", "a\\u0000dd"),
        ("desk/1", "d\x00"),
        ('"warm"', '"hot"'),
        ("bcd69c99418b602a", "BCD69C99418B602A"),
        ("2026-07-28", "\uff12026-07-28"),
        ('"protocol"', f'"trace":"{"0" * 32}","parent":"{"1" * 16}","protocol"'),
        ("123}}", '123},"x":{}}'),
        ("}}", "}} "),
        ("}}", "}}\n"),
    ],
)
def test_what_is_forged_is_not_read_quickly(old: str, new: str) -> None:
    forged = LINE.replace(old, new)
    assert forged != LINE
    assert agree(LINE.encode())
    assert not agree(forged.encode())
    assert not agree(LINE.encode().replace(b"desk", b"\xff"))


def test_a_line_is_what_it_says() -> None:
    found = read_call_line(LINE.encode())
    assert found is not None
    call = json.loads(LINE)["call"]
    done = found.operation
    assert (done.name, done.client, done.ms, done.bytes_out) == (call["tool"], call["client"], 0.03, 123)
