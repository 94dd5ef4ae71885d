"""Tests that the lines of an audit log that come together are written together, and none later than that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.audit.book import AuditBook
from platform_cli.audit.chain import NOTHING
from platform_cli.supervisor.journal import MAX_TOGETHER, Journal
from platform_cli.supervisor.logbook import RECORD, LogBook

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
