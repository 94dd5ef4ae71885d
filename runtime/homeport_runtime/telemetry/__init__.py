"""Log lines: what a server prints and what the platform knows of its calls, as JSON, one object a line.

A line that this runtime made starts with RECORD, so that whoever reads the worker's output can tell it from text that
the server, or a program it started, wrote straight to the file descriptor.
"""

from __future__ import annotations

import contextvars
import json
import os
import sys
import time
from typing import Any

RECORD = "\x1e"

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("homeport_request_id", default=None)


def emit(level: str, message: str, **fields: Any) -> None:
    """Writes one record to standard output in one piece."""
    record = {"time": round(time.time(), 3), "level": level, "message": message, **fields}
    line = f"{RECORD}{json.dumps(record, ensure_ascii=False, separators=(',', ':'))}\n".encode("utf-8", "replace")
    view = memoryview(line)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            # Nobody reads any more: the platform is gone, and so will this worker be in a moment.
            return


class LineStream:
    """A text stream for sys.stdout and sys.stderr: each whole line becomes a record with its request's id."""

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(self, level: str, fd: int) -> None:
        self._level = level
        self._fd = fd
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._emit(line)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """A record is a whole line; what is not one yet waits for its end."""

    def close(self) -> None:
        if self._rest:
            self._emit(self._rest)
            self._rest = ""

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def _emit(self, line: str) -> None:
        if line.strip():
            current = request_id.get()
            emit(_level(line, self._level), line, **({"request": current} if current else {}))


_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}


def _level(line: str, default: str) -> str:
    """The level that a log line of the usual forms names at its start: `ERROR:root:...`, `[INFO] ...`."""
    for word in line[:60].replace("[", " ").replace("]", " ").replace(":", " ").split()[:5]:
        if word in _LEVELS:
            return _LEVELS[word]
    return default


def capture_output() -> None:
    """From here on print() and logging make records. Programs started by the server still write plain lines."""
    sys.stdout = LineStream("info", 1)
    sys.stderr = LineStream("error", 2)
