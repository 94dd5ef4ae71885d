"""Tests what is recorded of calls that the end of their worker cut off."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.guard.open_calls import SLOT_BYTES
from platform_cli.audit.entry import Entry, read_entry
from platform_cli.supervisor.logbook import RECORD
from platform_cli.supervisor.open_calls import OpenCalls

BEGAN = time.time() - 2
CALL = json.dumps(
    {
        "time": BEGAN,
        "level": "error",
        "message": "tools/call add: error",
        "request": "0011223344556677",
        "call": {"tool": "add", "client": "desk/1", "start": "warm", "status": "error", "ms": 0},
    }
).encode()
OPERATION = json.dumps(
    {
        "operation": {"method": "resources/read", "name": None, "client": "desk/1", "request": "8899aabbccddeeff"},
        "time": BEGAN,
    }
).encode().replace(b'"request"', b'"ms":0,"request"')  # fmt: skip
WHO: dict[str, Any] = {
    "client_id": "desk", "user_id": "alice", "scopes_used": ["s"], "tool_name": "add", "ip_address": None,
    "method": "tools/call",
}  # fmt: skip
BESIDE = RECORD + json.dumps(WHO).encode() + RECORD + b'{"a":1}'
# As earlier runtimes write it, and this one of what is not measured.
ALONE = json.dumps(
    {"audit": {**WHO, "arguments": {}, "request": "r", "result": "crash", "ms": 0}, "time": BEGAN}
).encode()


@pytest.fixture
def open_calls(tmp_path: Path) -> Iterator[OpenCalls]:
    made = OpenCalls.make(tmp_path / "calls")
    yield made
    made.close()


def left(open_calls: OpenCalls, *slots: bytes) -> tuple[list[str], list[Entry]]:
    """Returns the kinds of the records that are left of these slots, and those for the audit log."""
    for at, slot in enumerate(slots):
        os.pwrite(open_calls.descriptor, slot + b"\0", at * SLOT_BYTES)
    lines = [line.removeprefix(RECORD) for line in open_calls.left("exit 3")]
    kinds = [next(key for key in ("audit", "operation", "error", "call") if key in json.loads(line)) for line in lines]
    return kinds, [entry for line in lines if (entry := read_entry(line)) is not None]


@pytest.mark.parametrize(("record", "request_id"), [(CALL, "0011223344556677"), (OPERATION, "8899aabbccddeeff")])
def test_a_call_that_is_audited_has_its_line(open_calls: OpenCalls, record: bytes, request_id: str) -> None:
    kinds, (entry,) = left(open_calls, record + BESIDE)
    assert kinds[1:] == ["error", "audit"]
    assert (entry.client_id, entry.user_id, entry.arguments, entry.request) == ("desk", "alice", '{"a":1}', request_id)
    assert (entry.result, entry.reason) == ("crash", "exit 3")
    assert entry.ms >= 2000


def test_what_earlier_runtimes_keep_is_recorded(open_calls: OpenCalls) -> None:
    kinds, (entry,) = left(open_calls, CALL, ALONE)
    assert kinds == ["call", "error", "audit"]
    assert (entry.result, entry.reason, entry.request) == ("crash", "exit 3", "r")


@pytest.mark.parametrize("beside", [RECORD, RECORD + b"{}" + RECORD, RECORD + b"[]" + RECORD + b"{}", BESIDE + RECORD])
def test_what_a_server_writes_itself_has_no_line(open_calls: OpenCalls, beside: bytes) -> None:
    assert left(open_calls, CALL + beside, b"\xff", RECORD, b"{" + BESIDE) == (["call", "error"], [])
