"""Tests what becomes of a worker's lines, and that those of an audit log that come together are written together, and
none later than that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from homeport_runtime.telemetry.scrub import Scrubber
from platform_cli.audit import files
from platform_cli.audit.book import AuditBook
from platform_cli.audit.chain import NOTHING
from platform_cli.supervisor.journal import MAX_TOGETHER, Journal
from platform_cli.supervisor.logbook import RECORD, LogBook
from platform_cli.telemetry.operation import Operation

SAID: dict[str, object] = {
    "client_id": None,
    "tool_name": "add",
    "arguments": {},
    "result": "success",
    "scopes_used": [],
    "ms": 1.0,
}
LINE = RECORD + json.dumps({"audit": SAID, "time": 1_769_437_395.0}, separators=(",", ":")).encode()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(LogBook(tmp_path / "logs", "p"), AuditBook(tmp_path / "audit", "p", NOTHING))
    yield made
    made.close()


WHO = (
    b'{"client_id":"desk","user_id":"alice","scopes_used":["s"],"tool_name":"add","ip_address":null,'
    b'"method":"tools/call"}'
)
CALLED = (
    b'{"time":1769437395.000,"level":"info","message":"tools/call add: ok","request":"0011223344556677","call":{'
    b'"tool":"add","client":"desk/1","start":"warm","bytes_in":300,"status":"ok","ms":1.50,"bytes_out":12}}'
)
TIMED_OUT = (
    CALLED.replace(b": ok", b": error").replace(b'"ok"', b'"error","kind":"timeout"').replace(b"info", b"warning")
)
READ = (
    b'{"operation":{"method":"resources/read","name":null,"client":"desk/1","request":"0011223344556677",'
    b'"status":"ok","ms":1.50},"time":1769437395.000}'
)


def line_of(*parts: bytes) -> bytes:
    return b"".join(RECORD + part for part in parts) + b"\n"


async def kept(journal: Journal, *lines: bytes) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Returns what is in the log, and in the audit log, after these lines."""
    for line in lines:
        journal.write_line(line, level="info", release=1, worker=7)
    await asyncio.sleep(0)
    log = [json.loads(line) async for chunk in journal.log.chunks(follow=False) for line in chunk.splitlines()]
    return log, [json.loads(line) for line in files.lines(journal.audit._folder)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("record", "result", "logged"), [(CALLED, "success", 1), (TIMED_OUT, "timeout", 1), (READ, "success", 0)]
)
async def test_the_record_of_a_call_is_one_of_the_audit_log_too(
    journal: Journal, record: bytes, result: str, logged: int
) -> None:
    counted: list[Operation] = []
    journal.on_operation = lambda _release, operation: counted.append(operation)
    log, audit = await kept(journal, line_of(record, WHO, b'{"a":1}'))
    assert (len(log), len(counted)) == (logged, 1)
    assert all(line["call"] == json.loads(record)["call"] and line["worker"] == 7 for line in log)
    (line,) = audit
    assert {name: line[name] for name in json.loads(WHO)} == json.loads(WHO)
    assert (line["arguments"], line["result"], line["ms"]) == ({"a": 1}, result, 1.5)
    assert (line["request"], line["timestamp"]) == ("0011223344556677", "2026-01-26T14:23:15.000Z")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "others",
    [
        (WHO,),
        (WHO, b""),
        (WHO, b'{"a":'),
        (b"{", b"{}"),
        (b"[]", b"{}"),
        (b"{}", b"{}"),
        (b"[" * 100_000, b"{}"),
        (WHO, b"[" * 90_000),
        (WHO, b"{}", b"{}"),
        (WHO.replace(b'["s"]', b"[1]"), b"{}"),
        (b"\xff", b"{}"),
    ],
)
async def test_what_no_runtime_writes_is_text(journal: Journal, others: Sequence[bytes]) -> None:
    log, audit = await kept(journal, line_of(CALLED, *others))
    assert audit == []
    assert [line["message"] for line in log if "call" not in line]


@pytest.mark.anyio
async def test_secrets_are_taken_out_of_all_of_a_record(journal: Journal) -> None:
    scrubber = Scrubber({"KEY": "hush-hush", "TIME": "soon", "NAME": "alice", "FIELD": "client_id"})
    arguments = {"request": "hush-hush", "level": "soon", "list": ["hush-hush"], '"': '"hush-hush"'}
    _log, (line,) = await kept(journal, scrubber.line(line_of(CALLED, WHO, json.dumps(arguments).encode())))
    assert line["arguments"] == {
        "request": "[secret KEY]", "level": "[secret TIME]", "list": ["[secret KEY]"], '"': '"[secret KEY]"',
    }  # fmt: skip
    assert (line["user_id"], line["client_id"]) == ("[secret NAME]", "desk")


@pytest.mark.anyio
async def test_an_entry_has_bounds(journal: Journal) -> None:
    long = WHO.replace(b"alice", b"a" * 9999).replace(b'["s"]', json.dumps(["s" * 999] * 99).encode())
    _log, (line, other) = await kept(
        journal, line_of(CALLED, long, b"{}"), line_of(CALLED, WHO, b'"' + b"a" * 99_999 + b'"')
    )
    assert isinstance(line["user_id"], str)
    assert isinstance(line["scopes_used"], list)
    assert (len(line["user_id"]), len(line["scopes_used"]), len(line["scopes_used"][0])) == (256, 64, 256)
    assert other["arguments"] is None


def write(journal: Journal, count: int) -> None:
    for _ in range(count):
        journal.write_line(LINE, level="info", release=1, worker=1)


@pytest.mark.anyio
async def test_lines_that_come_together_are_written_together(journal: Journal) -> None:
    write(journal, MAX_TOGETHER + 5)
    assert journal.audit.head.seq == MAX_TOGETHER, "more do not wait: who reads them is paced by the work"
    await asyncio.sleep(0)
    assert journal.audit.head.seq == MAX_TOGETHER + 5


@pytest.mark.anyio
async def test_what_waits_is_written_at_the_end(journal: Journal) -> None:
    write(journal, 3)
    journal.close()
    assert journal.audit.head.seq == 3
