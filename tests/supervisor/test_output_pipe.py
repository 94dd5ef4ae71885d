from __future__ import annotations

import asyncio
import contextlib
import os
import threading

import pytest

from platform_cli.supervisor import output_pipe
from platform_cli.supervisor.output_pipe import OutputPipe

DEADLINE_S = 60.0


def read_all(written: list[bytes], *, amid: bool = False) -> list[bytes]:
    """Returns what is taken of a pipe that `written` goes through piece by piece before it is closed."""
    reading, writing = os.pipe()
    taken: list[bytes] = []

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as file:
            for piece in written:
                view = memoryview(piece)
                while view:
                    view = view[file.write(view) :]

    async def follow() -> None:
        pipe = OutputPipe(reading, taken.append, amid=amid)
        await asyncio.wait_for(pipe.follow(), DEADLINE_S)
        pipe.finish()

    writer = threading.Thread(target=write)
    writer.start()
    asyncio.run(follow())
    writer.join()
    return taken


def test_lines_are_whole_however_they_were_written() -> None:
    assert read_all([b"on", b"e\ntwo\nthr", b"ee\n", b"the end"]) == [b"one\n", b"two\n", b"three\n", b"the end"]


@pytest.mark.parametrize(
    ("first", "taken"), [(b"end of a secret\n", []), (b'\x1e{"whole": 1}\n', [b'\x1e{"whole": 1}\n'])]
)
def test_the_rest_of_a_line_that_somebody_else_began_to_read_is_left_out(first: bytes, taken: list[bytes]) -> None:
    assert read_all([first[:4], first[4:] + b"next\n"], amid=True) == [*taken, b"next\n"]


def test_more_than_a_pipe_holds_comes_in_order() -> None:
    lines = [b"%07d%s\n" % (number, b"." * 193) for number in range(20_000)]
    assert read_all([b"".join(lines)]) == lines


def test_what_was_written_before_the_end_is_read_although_others_hold_the_pipe() -> None:
    reading, writing = os.pipe()
    taken: list[bytes] = []

    async def end_at_once() -> None:
        pipe = OutputPipe(reading, taken.append)
        following = asyncio.create_task(pipe.follow())
        await asyncio.sleep(0)
        os.write(writing, b"last words\n")
        following.cancel()
        await asyncio.wait({following})
        pipe.finish()

    try:
        asyncio.run(end_at_once())
    finally:
        os.close(writing)
    assert taken == [b"last words\n"]


def test_of_a_line_that_is_too_long_no_piece_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_pipe, "MAX_LINE", 1000)
    monkeypatch.setattr(output_pipe, "ROUND_BYTES", 300)
    said = b"[a line of 1500 bytes is left out]\n"
    assert read_all([b"." * 1500, b"\nnext\n"]) == [said, b"next\n"]
    assert read_all([b"." * 1500]) == [said]


def test_one_who_writes_on_and_on_is_not_read_for_ever() -> None:
    reading, writing = os.pipe()
    taken: list[bytes] = []

    def write_on() -> None:
        with contextlib.suppress(BrokenPipeError):
            while True:
                os.write(writing, b"more\n" * 10_000)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        OutputPipe(reading, taken.append).finish()
    finally:
        writer.join()
        os.close(writing)
    assert len(taken) * len(b"more\n") <= 2 * output_pipe.ROUND_BYTES
