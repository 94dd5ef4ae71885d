"""Tests that the newest lines of a log are found from its end, and what follows is neither lost nor repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from platform_cli.supervisor import log_tail, logbook
from platform_cli.supervisor.log_tail import newest
from platform_cli.supervisor.logbook import LogBook


def anything(_line: bytes) -> bool:
    return True


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_lines_are_read_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(log_tail, "CHUNK_BYTES", chunk)
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"a\nbb\n")
    second.write_bytes(b"ccc\n\nd\nnot yet written")
    end = len(b"ccc\n\nd\n")
    assert newest([first, second], end, anything, 10) == [b"a", b"bb", b"ccc", b"d"]
    assert newest([first, second], end, anything, 2) == [b"ccc", b"d"]
    assert newest([first, second], end, lambda line: len(line) < 3, 2) == [b"bb", b"d"]
    assert newest([first, second], end, anything, 0) == []
    assert newest([first, tmp_path / "gone"], 5, anything, 10) == [b"a", b"bb"]
    assert newest([], 0, anything, 10) == []


def test_what_follows_is_neither_lost_nor_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "MAX_FILE_BYTES", 400)
    log = LogBook(tmp_path, "tiny")

    def write(number: int) -> None:
        log.write_line(f"line {number}\n".encode(), level="info", release=1, worker=7)

    async def run() -> tuple[list[bytes], bytes]:
        for number in range(20):
            write(number)
            await asyncio.sleep(0)
        end = log.end()
        # These are written before the tail is read.
        for number in range(20, 30):
            write(number)
            await asyncio.sleep(0)
        tail = await log.newest(end, anything, 5)
        return tail, b"".join([chunk async for chunk in log.chunks(follow=False, after=end)])

    tail, rest = asyncio.run(run())
    log.close()
    found = [line.split(b'"message": "')[1].split(b'"')[0] for line in (*tail, *rest.splitlines())]
    assert found == [f"line {number}".encode() for number in range(15, 30)]


def test_the_end_of_a_log_that_another_control_plane_wrote(tmp_path: Path) -> None:
    assert LogBook(tmp_path, "tiny").end() == log_tail.Position(1, 0)
    (tmp_path / "00000003.jsonl").write_bytes(b"{}\n")
    assert LogBook(tmp_path, "tiny").end() == log_tail.Position(3, 3)
