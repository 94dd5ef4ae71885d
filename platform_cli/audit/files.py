"""Names and reads the files of an audit log: `00000001.jsonl`, `00000002.jsonl`, ..., the last is being written."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..hostile_files import open_regular

_NAME = re.compile(r"[0-9]{8}")
# The longest line that is read: arguments, names and hashes have bounds (entry.py).
MAX_LINE = 256 * 1024


def audit_folder(project: Path) -> Path:
    """Returns where the audit log of the project in the folder `project` is. No server sees it."""
    return project / "audit"


def numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.jsonl") if _NAME.fullmatch(path.stem))


def path_of(folder: Path, number: int) -> Path:
    return folder / f"{number:08}.jsonl"


def lines(folder: Path) -> Iterator[bytes]:
    """Yields all lines, the oldest first, without their ends.

    What follows the last line end of a file is being written, or a crash has left it: it is no line.
    """
    for number in numbers(folder):
        # It may have been removed meanwhile, since it is older than what is kept.
        with contextlib.suppress(FileNotFoundError), _opened(path_of(folder, number)) as file:
            while line := file.readline(MAX_LINE):
                if line.endswith(b"\n") or len(line) == MAX_LINE:
                    yield line.rstrip(b"\n")


def last_line(path: Path) -> bytes | None:
    """Returns the last whole line of a file, None if it has none."""
    with _opened(path) as file:
        file.seek(max(file.seek(0, os.SEEK_END) - MAX_LINE, 0))
        whole = file.read().rpartition(b"\n")[0]
    return whole.rpartition(b"\n")[2] or None


def first_line(path: Path) -> bytes | None:
    """Returns the first line of a file, None if it has none."""
    with _opened(path) as file:
        line = file.readline(MAX_LINE)
    return line.rstrip(b"\n") if line.endswith(b"\n") else None


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(open_regular(path, os.O_RDONLY), "rb")
