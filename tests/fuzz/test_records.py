from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from platform_cli.api.log_record import LogRecord
from platform_cli.commands.logs import record_text
from platform_cli.records import read_record
from platform_cli.supervisor.logbook import LogBook, text_of

from .values import encoded, objects

CALL = objects(tool=st.text(), client=st.text(), status=st.text(), start=st.text(), ms=st.floats())
RECORDS = objects(
    time=st.floats(0, 2e9),
    level=st.sampled_from(["debug", "info", "warning", "error"]),
    message=st.text(),
    request=st.text(),
    call=CALL,
    release=st.text(),
    project=st.text(),
)
LINES = st.builds(lambda mark, line: mark + line, st.sampled_from([b"", b"\x1e", b"\x1e\x1e"]), encoded(RECORDS))


@given(encoded(RECORDS))
def test_a_record_can_be_shown(line: bytes) -> None:
    record = read_record(line)
    if record is not None:
        first, *others = record_text(record).split("\n")
        assert all(other.startswith("    ") for other in others)
        assert not {"\x1b", "\x9b", "\r", "\u202e"}.intersection("".join([first, *others]))
        json.dumps(record)


@given(st.lists(LINES, max_size=5))
def test_each_line_of_a_server_is_one_record_of_its_own_project(lines: list[bytes]) -> None:
    whole = [line.replace(b"\n", b"") for line in lines]

    async def written(folder: Path) -> list[LogRecord]:
        log = LogBook(folder, "own")
        for line in whole:
            log.write_line(line + b"\n", level="info", release=1, worker=7)
        await asyncio.sleep(0)
        records = [record async for record in log.read(follow=False)]
        log.close()
        return records

    with tempfile.TemporaryDirectory() as folder:
        records = asyncio.run(written(Path(folder)))
    said = [text for line in whole if (text := text_of(line)).strip() or read_record(line[1:]) is not None]
    assert [record["message"] for record in records] == said
    assert {(record["project"], record["release"], record["worker"]) for record in records} <= {("own", "v1", 7)}
