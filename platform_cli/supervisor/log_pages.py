"""Reads a project's log piece by piece, from where the last piece ended, without the platform's loop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ..hostile_files import open_regular
from .log_tail import Position
from .logbook import FILE_NAME

# What is read at a time; a record is shorter.
PAGE_BYTES = 1024 * 1024


class Page(NamedTuple):
    lines: list[bytes]
    end: Position


def end_of(folder: Path) -> Position:
    """Returns the end of the log in `folder`."""
    numbers = _numbers(folder)
    if not numbers:
        return Position(0, 0)
    return Position(numbers[-1], _path(folder, numbers[-1]).lstat().st_size)


def read_page(folder: Path, start: Position, most: int) -> Page:
    """Returns up to `most` whole lines from `start` on; what was removed meanwhile is passed over.

    A log that ends before `start` is another one, and read from its beginning. Raises OSError if a file cannot be read.
    """
    if end_of(folder) < start:
        start = Position(0, 0)
    for number in _numbers(folder):
        if number < start.number:
            continue
        offset = start.offset if number == start.number else 0
        with os.fdopen(open_regular(_path(folder, number), os.O_RDONLY), "rb") as file:
            file.seek(offset)
            data = file.read(PAGE_BYTES)
        lines = data[: data.rfind(b"\n") + 1].splitlines(keepends=True)[:most]
        if lines:
            return Page(lines, Position(number, offset + sum(map(len, lines))))
    return Page([], start)


def _numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.jsonl") if FILE_NAME.fullmatch(path.stem))


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:08}.jsonl"
