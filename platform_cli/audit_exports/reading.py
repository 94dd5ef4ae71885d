"""Reads the lines of an audit log that an export lacks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..audit import files
from ..audit.chain import number_of
from ..hostile_files import open_regular

# The most lines and bytes that are sent at once.
MAX_LINES = 200
MAX_BYTES = 256 * 1024


class Place(NamedTuple):
    """Is the place in an audit log after the line `seq`: a file's number, and an offset in it."""

    seq: int
    number: int
    offset: int


class Line(NamedTuple):
    """Is a line of an audit log as it is in the file, without its end."""

    seq: int
    text: bytes


def lines_after(folder: Path, seq: int, until: int, place: Place | None) -> tuple[Sequence[Line], Place | None]:
    """Returns lines from the one after `seq` up to `until`, as many as are sent at once, and where the next begins.

    `place` is where to begin to look, None if that is not known. One after another line than `seq` is in the log of a
    project that was removed, and had the same name. What somebody has made unreadable is left out, which the numbers
    of the lines around it show.
    """
    found: list[Line] = []
    size = 0
    last = seq
    if place is None or place.seq != seq:
        place = _place_of(folder, seq)
    for number in files.numbers(folder):
        if place is None or number < place.number:
            continue
        offset = place.offset if number == place.number else 0
        try:
            opened = os.fdopen(open_regular(files.path_of(folder, number), os.O_RDONLY), "rb")
        except FileNotFoundError:
            continue
        with opened as file:
            file.seek(offset)
            while (text := file.readline(files.MAX_LINE)).endswith(b"\n"):
                line = number_of(text)
                if line is not None and line > until:
                    return found, Place(last, number, offset)
                offset += len(text)
                if line is not None and line > seq:
                    found.append(Line(line, text[:-1]))
                    size += len(text)
                    last = line
                if len(found) >= MAX_LINES or size >= MAX_BYTES:
                    return found, Place(last, number, offset)
        place = Place(last, number, offset)
    return found, place


def _place_of(folder: Path, seq: int) -> Place | None:
    """Returns the beginning of the last file whose first line is not beyond the one after `seq`, or of the first."""
    numbers = files.numbers(folder)
    for number in reversed(numbers):
        try:
            first = number_of(files.first_line(files.path_of(folder, number)) or b"")
        except FileNotFoundError:
            continue
        if first is not None and first <= seq + 1:
            return Place(seq, number, 0)
    return Place(seq, numbers[0], 0) if numbers else None
