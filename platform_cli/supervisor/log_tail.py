"""Finds the newest records of a log: it is read from its end, of which people mostly want to see little."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..hostile_files import open_regular

# The bytes that are read at once.
CHUNK_BYTES = 256 * 1024


class Position(NamedTuple):
    """Is a place in a log: in the file `number`, before the byte `offset`."""

    number: int
    offset: int


def newest(paths: Sequence[Path], end: int, wants: Callable[[bytes], bool], most: int) -> list[bytes]:
    """Returns the newest lines that are wanted, the oldest first, without their ends.

    `paths` are the files of the log, oldest first, and `end` is where the last one ends. It may take a second.
    """
    found: list[bytes] = []
    for path in reversed(paths):
        if len(found) >= most:
            break
        # The file may have been removed meanwhile, or be none that a log has written.
        with contextlib.suppress(OSError):
            for line in _backwards(path, end if path == paths[-1] else None):
                if len(found) >= most:
                    break
                if wants(line):
                    found.append(line)
    return found[::-1]


def _backwards(path: Path, end: int | None) -> Iterator[bytes]:
    """Yields the lines of a file up to its byte `end`, None for all of it, the last one first."""
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        start = file.seek(0, os.SEEK_END) if end is None else end
        # What a chunk begins with belongs to the line before.
        rest = b""
        while start > 0:
            begin = max(start - CHUNK_BYTES, 0)
            file.seek(begin)
            first, *lines = (file.read(start - begin) + rest).split(b"\n")
            yield from filter(None, reversed(lines))
            rest, start = first, begin
        if rest:
            yield rest
