"""Writes a project's log: JSON lines in files that rotate by size, readable while they are written."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import os
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import accumulate
from pathlib import Path
from typing import IO

from ..api.log_record import LogRecord
from ..hostile_files import open_regular
from ..records import read_record
from .log_tail import Position, newest

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_FILES = 8
# The character with which telemetry starts a line that is a record (homeport_runtime.telemetry.RECORD).
RECORD = b"\x1e"
FILE_NAME = re.compile(r"[0-9]{8,12}")
# As homeport_runtime.telemetry takes them out of what it makes records of.
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
# A longer record is treated as text, and a longer text is cut, so that no line pushes out the others. The runtime's own
# records have up to MAX_LINE characters (homeport_runtime.telemetry.lines).
MAX_RECORD = 512 * 1024
MAX_TEXT = 128 * 1024
# The bytes that are read before other tasks get a turn.
CHUNK_BYTES = 256 * 1024


class LogBook:
    """Is a log in files `00000001.jsonl`, `00000002.jsonl`, ...: the last is being written, the oldest are removed."""

    def __init__(self, folder: Path, project: str) -> None:
        self._folder = folder
        self._project = project
        self._file: io.FileIO | None = None
        self._number = 0
        self._size = 0
        self._waiting: list[bytes] = []
        self._lost = 0
        self._writer = (0, 0)
        self._origin = b""
        self._flushing = False
        self._changed = asyncio.Event()

    def write_line(self, line: bytes, *, level: str, release: int, worker: int) -> LogRecord | None:
        """Writes one line of a worker's output, a record or plain text, as a record; returns it if it was one."""
        body = line.rstrip(b"\r\n")
        if (record := _record_in(body)) is not None:
            self.write_record(body[len(RECORD) :], release=release, worker=worker)
            return record
        self._note_writer(release, worker)
        text = _COLOURS.sub("", body.lstrip(RECORD).decode("utf-8", "replace"))
        if text.strip():
            self._append(self._record(level, text))
        return None

    def write_record(self, record: bytes, *, release: int, worker: int) -> None:
        """Writes what is known to be a record."""
        self._note_writer(release, worker)
        self._append(record[:-1] + b"," + self._origin + b"}\n")

    def _note_writer(self, release: int, worker: int) -> None:
        if (release, worker) != self._writer:
            self._writer = release, worker
            self._origin = f'"project":{json.dumps(self._project)},"release":"v{release}","worker":{worker}'.encode()

    def write(self, level: str, message: str, *, release: int) -> None:
        """Writes a line of the platform's own about this project."""
        self.write_line(message.encode(), level=level, release=release, worker=os.getpid())

    def _record(self, level: str, text: str) -> bytes:
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]} [and {len(text) - MAX_TEXT} characters more]"
        head = json.dumps({"time": round(time.time(), 3), "level": level, "message": text}, ensure_ascii=False)
        return head[:-1].encode() + b"," + self._origin + b"}\n"

    def _append(self, record: bytes) -> None:
        self._waiting.append(record)
        if not self._flushing:
            # One flush writes all lines that came together.
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        self._write_waiting()
        self._changed.set()
        self._changed = asyncio.Event()

    def _write_waiting(self) -> None:
        """Writes the buffered lines; on a full disk they are dropped, and their number is logged as soon as there is
        room.
        """
        lines, self._waiting = deque(self._waiting), []
        if self._lost and lines:
            lines.appendleft(
                self._record("warning", f"lines that are not in this log, for the disk was full: {self._lost}")
            )
        try:
            while lines:
                self._write_some(lines)
                self._lost = 0
        except OSError:
            self._lost += len(lines) - (1 if self._lost else 0)
            self._close_file()

    def _write_some(self, lines: deque[bytes]) -> None:
        """Moves as many of `lines` into the file as it has room for.

        Raises OSError if there is room for none.
        """
        file = self._writable(len(lines[0]))
        room = max(MAX_FILE_BYTES - self._size, len(lines[0]))
        data = b"".join(lines)
        if len(data) > room:
            data = b"".join(line for line, end in zip(lines, accumulate(map(len, lines)), strict=True) if end <= room)
        written = file.write(data)
        whole = data.rfind(b"\n", 0, written) + 1
        if whole < len(data):
            file.truncate(self._size + whole)
        self._size += whole
        count = data.count(b"\n", 0, whole)
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if count == len(lines):
            lines.clear()
            return
        for _ in range(count):
            lines.popleft()

    def _writable(self, more: int) -> io.FileIO:
        if self._file is not None and self._size + more <= MAX_FILE_BYTES:
            return self._file
        rotate = self._file is not None
        self._close_file()
        self._make_folder()
        existing = self._numbers()
        newest = existing[-1] if existing else 1
        try:
            self._number, self._file = self._opened(newest + (1 if rotate else 0))
        except OSError as error:
            # Something that is no log file has this name, so the next one is used.
            if error.errno not in (errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EISDIR):
                raise
            self._number, self._file = self._opened(newest + 2)
        self._size = os.fstat(self._file.fileno()).st_size
        for old in self._numbers()[:-MAX_FILES]:
            with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                self._path(old).unlink()
        return self._file

    def _make_folder(self) -> None:
        if self._folder.is_symlink():
            self._folder.unlink()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _opened(self, number: int) -> tuple[int, io.FileIO]:
        return number, io.FileIO(open_regular(self._path(number), os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")

    def close(self) -> None:
        self._write_waiting()
        self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                file.close()

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.jsonl") if FILE_NAME.fullmatch(path.stem))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}.jsonl"

    async def read(self, *, follow: bool) -> AsyncIterator[LogRecord]:
        """Yields every record from the oldest on; with `follow` also new ones, each once, through rotations."""
        async for chunk in self.chunks(follow=follow):
            for line in chunk.split(b"\n"):
                record = read_record(line)
                if record is not None:
                    yield record

    def end(self) -> Position:
        """Returns where the log ends now."""
        if self._file is not None:
            return Position(self._number, self._size)
        number = max(self._numbers(), default=1)
        with contextlib.suppress(OSError):
            return Position(number, self._path(number).lstat().st_size)
        return Position(number, 0)

    async def newest(self, end: Position, wants: Callable[[bytes], bool], most: int) -> list[bytes]:
        """Returns the newest lines before `end` that are wanted, the oldest first; they are read in a thread."""
        paths = [self._path(number) for number in self._numbers() if number <= end.number]
        return await asyncio.to_thread(newest, paths, end.offset, wants, most)

    async def chunks(self, *, follow: bool, since: float = 0.0, after: Position | None = None) -> AsyncIterator[bytes]:
        """Yields the log as chunks of whole lines, which the reader parses and not the platform's loop.

        It begins at `after`, or omits what is older than `since`, seconds since 1970, as far as that is cheap to tell.
        """
        number = after.number - 1 if after else 0
        while True:
            changed = self._changed
            later = [n for n in self._numbers() if n > number]
            if later:
                number = later[0]
                # The file may have been removed meanwhile, or be none that a log has written.
                with contextlib.suppress(OSError):
                    descriptor = open_regular(self._path(number), os.O_RDONLY)
                    with os.fdopen(descriptor, "rb") as file:
                        if os.fstat(descriptor).st_mtime < since and len(later) > 1:
                            continue
                        is_first = after is not None and number == after.number
                        file.seek(after.offset if after and is_first else _start_of(file, since))
                        async for chunk in self._read_file(file, number, follow=follow):
                            yield chunk
            elif follow:
                await changed.wait()
            else:
                return

    async def _read_file(self, file: IO[bytes], number: int, *, follow: bool) -> AsyncIterator[bytes]:
        rest = b""
        while True:
            # Both are taken before reading, so that later lines wake this up.
            changed = self._changed
            complete = not follow or self._numbers()[-1:] != [number]
            while data := file.read(CHUNK_BYTES):
                lines, end, rest = (rest + data).rpartition(b"\n")
                if end:
                    yield lines + end
                await asyncio.sleep(0)
            if complete:
                return
            await changed.wait()


def _record_in(body: bytes) -> LogRecord | None:
    """Returns the record that a line is; any program may begin one with that character, as JSON sequences do
    (RFC 7464).
    """
    if body.startswith(RECORD) and body.endswith(b"}") and len(body) <= MAX_RECORD:
        return read_record(body[len(RECORD) :])
    return None


def text_of(line: bytes) -> str:
    """Returns what a person reads in a line of a worker's output: the message of a record, or the plain text."""
    body = line.rstrip(b"\r\n")
    if (record := _record_in(body)) is not None:
        return record["message"]
    return body.lstrip(RECORD).decode("utf-8", "replace")


def _start_of(file: IO[bytes], since: float) -> int:
    """Returns a position before every record from `since` on, searched from the end, since it is mostly near."""
    end = file.seek(0, os.SEEK_END) if since else 0
    while end > 0:
        start = max(end - CHUNK_BYTES, 0)
        file.seek(start)
        if start:
            file.readline()
        position = file.tell()
        first = read_record(file.readline())
        if first is not None and first["time"] < since:
            return position
        end = start
    return 0
