"""Tests a project's log: records in files that rotate, read while they are written."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.api.log_record import LogRecord
from platform_cli.supervisor import logbook
from platform_cli.supervisor.logbook import LogBook, text_of


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogBook]:
    opened = LogBook(tmp_path, "tiny")
    yield opened
    opened.close()


def write(log: LogBook, *texts: str) -> None:
    for text in texts:
        log.write_line(f"{text}\n".encode(), level="info", release=1, worker=7)


async def written(log: LogBook, *texts: str) -> None:
    """Returns what was written; what came together is written together, in the loop's next turn."""
    write(log, *texts)
    await asyncio.sleep(0)


async def messages(log: LogBook) -> list[str]:
    return [record["message"] async for record in log.read(follow=False)]


def test_lines_become_records(log: LogBook) -> None:
    async def read() -> list[LogRecord]:
        log.write_line(b'\x1e{"time":1.0,"level":"warning","message":"own"}\n', level="info", release=2, worker=8)
        await written(log, "printed", "", "  ")
        return [record async for record in log.read(follow=False)]

    second, first = asyncio.run(read())
    origin = {"project": "tiny", "release": "v1", "worker": 7}
    assert {key: dict(first)[key] for key in ("level", "message", *origin)} == {
        "level": "info", "message": "printed", **origin,
    }  # fmt: skip
    assert (second["level"], second["message"], second["release"], second["time"]) == ("warning", "own", "v2", 1.0)


def test_the_oldest_files_go(log: LogBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "MAX_FILE_BYTES", 500)
    monkeypatch.setattr(logbook, "MAX_FILES", 3)
    asyncio.run(written(log, *(f"line {number}" for number in range(100))))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    assert all(file.stat().st_size <= 500 for file in files)
    kept = asyncio.run(messages(log))
    assert kept == [f"line {number}" for number in range(100 - len(kept), 100)]


def test_lines_that_found_no_room_are_counted(log: LogBook) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run() -> list[str]:
        # As on a full disk the last write is cut short, and the next one fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        try:
            await written(log, *(f"{number} {'x' * 100_000}" for number in range(12)))
            # The record of the full disk still fits, the next line does not.
            await written(log, "x" * 100_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await written(log, "after", "and after")
        return [message.split(" xxx")[0] for message in await messages(log)]

    kept = [str(number) for number in range(9)]
    lost = "lines that are not in this log, for the disk was full: "
    assert asyncio.run(run()) == [*kept, f"{lost}3", f"{lost}1", "after", "and after"]


def test_a_new_book_goes_on_where_the_last_ended(log: LogBook, tmp_path: Path) -> None:
    before = LogBook(tmp_path, "tiny")
    asyncio.run(written(before, "before"))
    before.close()
    asyncio.run(written(log, "after"))
    assert asyncio.run(messages(log)) == ["before", "after"]
    assert len(list(tmp_path.iterdir())) == 1


def test_following_sees_each_line_once_through_rotations(log: LogBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "MAX_FILE_BYTES", 300)
    expected = [f"line {number}" for number in range(20)]
    seen: list[str] = []

    async def follow() -> None:
        async for record in log.read(follow=True):
            seen.append(record["message"])
            if len(seen) == len(expected):
                return

    async def run() -> None:
        write(log, *expected[:3])
        follower = asyncio.create_task(follow())
        for text in expected[3:]:
            await asyncio.sleep(0)
            write(log, text)
        await asyncio.wait_for(follower, 30)

    asyncio.run(run())
    assert seen == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"printed\n", "printed"),
        (b'\x1e{"time":1.0,"level":"info","message":"a record"}\n', "a record"),
        (b'\x1e{"half', '{"half'),
        (b"\x1e[]", "[]"),
        (b"\xff\r\n", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_what_a_person_reads_in_a_line(line: bytes, text: str) -> None:
    assert text_of(line) == text


def test_a_torn_line_is_skipped(tmp_path: Path) -> None:
    whole, after = (f'{{"time": 1, "level": "info", "message": "{text}"}}\n' for text in ("whole", "after"))
    (tmp_path / "00000001.jsonl").write_text(whole + whole[:20] + "\n" + after + after[:20])
    assert asyncio.run(messages(LogBook(tmp_path, "tiny"))) == ["whole", "after"]


NO_RECORDS = [
    '{"time":"yesterday","level":"info","message":"a text of a JSON sequence"}',
    '{"time":1.0,"level":"info","message":["no text"]}',
    '{"time":1.0,"level":"info"}',
    '{"time":1.0,"level":["info"],"message":"x"}',
    '{"time":NaN,"level":"info","message":"x"}',
    '{"time":1e400,"level":"info","message":"x"}',
    '{"time":-1,"level":"info","message":"x"}',
    '{"time":true,"level":"info","message":"x"}',
    f'{{"time":{"9" * 5000},"level":"info","message":"x"}}',
    '{"time":1.0,"level":"info","message":"x","call":[]}',
    '{"time":1.0,"level":"info","message":"x","call":{"tool":"a","client":"b","status":"c","start":"d","ms":"e"}}',
    '{"time":1.0,"level":"info","message":"x"} }',
    '{"a":' + "[" * 100_000 + "}",
    "{}",
    "{",
    "[]",
    "}",
]


@pytest.mark.parametrize("odd", NO_RECORDS, ids=range(len(NO_RECORDS)))
def test_what_begins_like_a_record_and_is_none_is_text(log: LogBook, odd: str) -> None:
    async def run() -> list[str]:
        await written(log, f"\x1e{odd}", "after")
        return await messages(log)

    assert asyncio.run(run()) == [odd, "after"]
    assert text_of(f"\x1e{odd}\n".encode()) == odd


def test_a_record_cannot_say_that_it_is_of_another_project(log: LogBook) -> None:
    async def run() -> list[LogRecord]:
        forged = '{"time":1.0,"level":"info","message":"own","project":"other","release":"v9","worker":1}'
        await written(log, f"\x1e{forged}")
        return [record async for record in log.read(follow=False)]

    (record,) = asyncio.run(run())
    assert (record["project"], record["release"], record["worker"]) == ("tiny", "v1", 7)


def test_no_line_pushes_the_others_out(log: LogBook) -> None:
    async def run() -> list[str]:
        record = json.dumps({"time": 1.0, "level": "info", "message": "r" * 1_000_000})
        await written(log, "t" * 1_000_000, f"\x1e{record}")
        return await messages(log)

    text, record = asyncio.run(run())
    assert text == f"{'t' * logbook.MAX_TEXT} [and {1_000_000 - logbook.MAX_TEXT} characters more]"
    assert len(record) < logbook.MAX_TEXT + 100


def test_what_is_older_is_not_read(log: LogBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(logbook, "MAX_FILE_BYTES", 20_000)
    monkeypatch.setattr(logbook, "MAX_FILES", 1000)

    async def read(since: float) -> list[float]:
        chunks = [chunk async for chunk in log.chunks(follow=False, since=since)]
        return [json.loads(line)["time"] for line in b"".join(chunks).splitlines()]

    async def run() -> None:
        await written(log, *(f'\x1e{{"time":{at},"level":"info","message":"x"}}' for at in range(1000)))
        assert await read(0) == list(range(1000))
        for since in (500, 999):
            assert (await read(since))[since - 1000 :] == list(range(since, 1000))
        *older, _newest = sorted(tmp_path.iterdir())
        for file in older:
            os.utime(file, (900, 900))
        there = await read(995)
        assert there == list(range(int(there[0]), 1000))
        assert 980 < there[0] <= 995

    asyncio.run(run())
