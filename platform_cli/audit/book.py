"""Writes a project's audit log; the control plane is its only writer."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..hostile_files import open_regular
from . import files
from .chain import Head, chained, head_of, time_of
from .entry import NO_ARGUMENTS, Entry
from .reserve import Reserve

MAX_FILE_BYTES = 16 * 1024 * 1024
# A file holds this part of the days that are kept at most, so that no line is kept much longer.
PARTS = 12


class AuditBook:
    """Is the audit log in `folder` of `project`, which continues after `stored`, the head in the store.

    Lines are written when they come, and are durable after `durable`. `on_full` is called when the room that
    `keep_room` had kept is needed: further calls may not get a line.
    """

    def __init__(self, folder: Path, project: str, stored: Head) -> None:
        self._folder = folder
        self._project = project
        self._file: io.FileIO | None = None
        self._size = 0
        self._since = 0.0
        self._lost = 0
        self._head = stored
        self._stored = stored
        self._is_open = False
        self._reserve = Reserve(folder)
        self.on_full: Callable[[], None] = lambda: None

    @property
    def head(self) -> Head:
        """Returns the last line that was written."""
        return self._head

    @property
    def is_dirty(self) -> bool:
        """Tells whether lines were written that the store does not know of."""
        return self._head != self._stored

    def keep_room(self) -> bool:
        """Keeps room for the lines of calls under way, and returns whether there is some."""
        return self._reserve.hold()

    def write(self, entries: Sequence[tuple[Entry, str]]) -> None:
        """Writes the lines of calls, each with its release, at once. The number of those that cannot be written is
        written as soon as that is possible.
        """
        rest = entries[self._write_some(entries) :]
        if rest and self._reserve.give_up():
            self.on_full()
            rest = rest[self._write_some(rest) :]
        self._lost += len(rest)

    def _write_some(self, entries: Sequence[tuple[Entry, str]]) -> int:
        """Writes the lines of the first calls, as many as there is room for, and returns their number."""
        written = 0
        try:
            if self._lost:
                entry, release = entries[0]
                gap = entry._replace(tool_name=None, arguments=NO_ARGUMENTS, result="refused", reason="not_written")
                self._append([(gap, release)], self._lost)
                self._lost = 0
            while written < len(entries):
                written += self._append(entries[written:])
        except OSError:
            self._close_file()
        return written

    def _append(self, entries: Sequence[tuple[Entry, str]], lost: int = 0) -> int:
        """Writes lines with one system call, and returns the number of those that are whole.

        Raises OSError if not even one is.
        """
        file = self._writable()
        heads, lines = [self._head], []
        for entry, release in entries:
            line, head = chained(entry, self._project, release, heads[-1], lost=lost)
            lines.append(line + b"\n")
            heads.append(head)
        data = b"".join(lines)
        taken = file.write(data)
        count, size = len(lines), len(data)
        if taken < size:
            size = data.rfind(b"\n", 0, taken) + 1
            count = data.count(b"\n", 0, size)
        self._size += size
        self._head = heads[count]
        if taken < len(data):
            # A part of a line is cut off when the file is opened again.
            self._close_file()
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return count

    def unsynced(self) -> tuple[Head, int | None]:
        """Returns the head, and a descriptor of the file that `durable` wants, None if nothing is open."""
        return self._head, os.dup(self._file.fileno()) if self._file is not None else None

    def stored(self, head: Head) -> None:
        """Notes that `head` is in the store."""
        self._stored = head

    def close(self) -> None:
        self._close_file()
        self._is_open = False

    def outdated(self, keep_s: float) -> list[tuple[Path, Head]]:
        """Returns the files that have nothing but lines older than `keep_s` seconds, each with its last line."""
        now, old = time.time(), []
        for number in files.numbers(self._folder)[:-1]:
            path = files.path_of(self._folder, number)
            with contextlib.suppress(OSError):
                last = head_of(files.last_line(path) or b"")
                if last is None or path.stat().st_mtime > now - keep_s:
                    break
                old.append((path, last))
        return old

    def rotate(self, keep_s: float) -> None:
        """Begins another file if the present one has been written to for long."""
        if self._file is not None and time.time() - self._since > keep_s / PARTS:
            self._close_file()
            self._open(self._last_number() + 1)

    def _writable(self) -> io.FileIO:
        if self._file is None:
            return self._open(max(self._last_number(), 1))
        if self._size >= MAX_FILE_BYTES:
            self._close_file()
            return self._open(self._last_number() + 1)
        return self._file

    def _open(self, number: int) -> io.FileIO:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = files.path_of(self._folder, number)
        file = self._file = io.FileIO(open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT), "ab")
        self._size = _cut_to_lines(path, file)
        first = files.first_line(path)
        self._since = time_of(first) if first else time.time()
        if not self._is_open:
            self._is_open = True
            self._head = self._continued()
        return file

    def _continued(self) -> Head:
        """Returns the head in the files where it is beyond the stored one, since the store is a second behind.

        Where it is not, somebody has cut the files, and the break stays to be seen.
        """
        for number in reversed(files.numbers(self._folder)):
            last = head_of(files.last_line(files.path_of(self._folder, number)) or b"")
            if last is not None:
                return last if last.seq > self._stored.seq else self._stored
        return self._stored

    def _last_number(self) -> int:
        return (files.numbers(self._folder) or [0])[-1]

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                os.fdatasync(file.fileno())
            with contextlib.suppress(OSError):
                file.close()


def _cut_to_lines(path: Path, file: io.FileIO) -> int:
    """Cuts off a part of a line, which a crash has left, and returns the size of the file then."""
    size = os.fstat(file.fileno()).st_size
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as read:
        read.seek(max(size - files.MAX_LINE, 0))
        tail = read.read()
    whole = size - len(tail) + tail.rfind(b"\n") + 1
    if whole < size:
        file.truncate(whole)
    return whole


def durable(descriptor: int | None) -> None:
    """Makes a file durable, which takes some milliseconds, and closes `descriptor`.

    Raises OSError if the disk does not take it.
    """
    if descriptor is not None:
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
