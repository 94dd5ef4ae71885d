"""Writes a record of each exception of a server's own code that nobody handled, for whoever mends the server.

platform_cli.telemetry reads the records and makes groups of those that have one cause.
"""

from __future__ import annotations

import linecache
import logging
import os
import re
import threading
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import Any

from . import encode, request_id, write_record
from .exceptions import frames_of, kind_of, meant
from .scrub import Scrubber

# The most bytes of a record, characters of a message, of a name and of a line, and frames.
MAX_RECORD = 8 * 1024
MAX_MESSAGE, MAX_NAME, MAX_LINE = 1000, 128, 200
MAX_FRAMES = 30
# How many of these are the outermost ones of a traceback that has more.
FIRST = 10
# The frames, nearest to the error, that are shown with lines of source, and how many lines each.
SOURCES, LINES = 5, 5
# The exceptions of a minute that get all of this; those beyond it, which are counted, have no source.
WHOLE = 60
_STDLIB = f"{Path(os.__file__).parent}/"
CALL = "tools/call"
# The type of the error that a process which ended is.
CRASH = "crash"
# A file, the name of a function in it, and a line.
Place = tuple[str, str, int]
# A line of a Python program's traceback; it is compiled when there is one.
_PLACE = r'File "([^"]{1,400})", line (\d{1,8}), in (.{1,400})'
# Says on an exception in which request it got a record: it may be logged, and pass several hooks besides. One that a
# server keeps may be raised for each request anew.
_RECORDED = "_homeport_recorded"

# What is being answered: the context or request of the SDK.
asked: ContextVar[Any] = ContextVar("homeport_asked", default=None)


class ErrorRecords:
    """Writes the records of a worker, whose server's own code is below `app`, and its packages in `layer`.

    `tools` are those that it has, None if nobody knows; what calling another raises concerns the caller.
    """

    def __init__(self, app: Path, layer: Path, secrets: Mapping[str, str], tools: Container[str] | None) -> None:
        self._app = f"{app}/"
        # A program in another process is run in the working folder, which has the app's files, too.
        self._own = (self._app, f"{Path.cwd()}/")
        self._layer = f"{layer}/"
        self._secrets = secrets
        self._tools = tools
        self._since, self._count = 0.0, 0

    @cached_property
    def _scrubber(self) -> Scrubber:
        # A worker that wakes does not wait for it.
        return Scrubber(self._secrets)

    def write(self, error: BaseException, *, only_own: bool) -> None:
        """Writes the record of an exception, unless it has one."""
        request = request_id.get()
        if error.__dict__.get(_RECORDED, "") == request or (only_own and not self._is_own(error)):
            return
        error.__dict__[_RECORDED] = request
        method, name = _described(asked.get())
        if method == CALL and self._tools is not None and name not in self._tools:
            return
        said = {
            "type": self._text(_name_of(type(error)), MAX_NAME),
            "message": self._text(_said_by(error), MAX_MESSAGE),
            "method": method and self._text(method, MAX_NAME),
            "name": name and self._text(name, MAX_NAME),
            "request": request,
        }
        self._write(said, self._shown(self._places(error), sources=SOURCES if self._has_room() else 0))

    def write_end(self, reason: str, said: Iterable[str], request: Mapping[str, Any]) -> None:
        """Writes the record of a program in another process that ended while it answered `request`; `said` are the last
        lines of its stderr, which may have the traceback of a Python program.
        """
        params = request.get("params")
        name = params.get("name") if isinstance(params, Mapping) else None
        lines = list(said)
        last = f": {lines[-1]}" if lines else ""
        shown = {
            "type": CRASH,
            "message": self._text(f"the program {reason}{last}", MAX_MESSAGE),
            "method": self._text(str(request.get("method")), MAX_NAME),
            "name": self._text(name, MAX_NAME) if isinstance(name, str) else None,
            "request": None,
        }
        # The program may have printed what a caller wrote: a way out of its folder is none of a traceback's.
        found = (re.fullmatch(_PLACE, line) for line in lines)
        places = [(it[1], it[3], int(it[2])) for it in found if it and ".." not in it[1].split("/")]
        self._write(shown, self._shown(places, sources=SOURCES))

    def _write(self, said: Mapping[str, Any], frames: list[dict[str, Any]]) -> None:
        record = _record(said, frames)
        while len(record.encode("utf-8", "replace")) > MAX_RECORD and _shorten(frames):
            record = _record(said, frames)
        write_record(record)

    def _is_own(self, error: BaseException) -> bool:
        return any(frame.f_code.co_filename.startswith(self._app) for frame, _ in frames_of(error.__traceback__))

    def _has_room(self) -> bool:
        now = time.monotonic()
        if now - self._since > 60.0:
            self._since, self._count = now, 0
        self._count += 1
        return self._count <= WHOLE

    def _places(self, error: BaseException) -> list[Place]:
        """Returns the places of a traceback from the user's own code on, the innermost last; equal neighbours once."""
        found: list[Place] = []
        has_own = False
        for frame, line in frames_of(error.__traceback__):
            code = frame.f_code
            if not has_own and code.co_filename.startswith(self._app):
                # What is outside of it is the SDK's way to the tool.
                has_own, found = True, []
            # Before Python 3.11 code has no qualified name.
            place = code.co_filename, getattr(code, "co_qualname", code.co_name), line
            if found[-1:] != [place]:
                found.append(place)
        return found

    def _shown(self, places: Sequence[Place], sources: int) -> list[dict[str, Any]]:
        """Returns the frames at `places`, as many of the user's own as `sources` says with lines around them."""
        frames: list[dict[str, Any]] = []
        # Those in the middle are left out: the first are the server's own, the last are where it happened.
        surplus = max(len(places) - MAX_FRAMES, 0)
        for file, function, line in reversed([*places[:FIRST], *places[FIRST + surplus :]]):
            own = file.startswith(self._own)
            name = self._text(self._file(file), MAX_LINE)
            made: dict[str, Any] = {"file": name, "function": self._text(function, MAX_LINE), "line": line, "own": own}
            if own and sources:
                sources -= 1
                made |= self._source(file, line)
            frames.insert(0, made)
        return frames

    def _file(self, file: str) -> str:
        """Returns how a file is called where the folders of this machine mean nothing."""
        for folder in (*self._own, self._layer, _STDLIB):
            if file.startswith(folder):
                return file[len(folder) :]
        return file.rpartition("/")[2]

    def _source(self, file: str, line: int) -> dict[str, Any]:
        lines = linecache.getlines(file)
        start = max(line - 1 - LINES // 2, 0)
        return {
            "source": [self._text(each.rstrip(), MAX_LINE) for each in lines[start : start + LINES]],
            "start": start + 1,
        }

    def _text(self, text: str, most: int) -> str:
        """Returns at most so many characters of a text, without secrets; none is cut, since a part could not be found
        any more.
        """
        if len(text) > most + self._scrubber.longest:
            text = text[: most + self._scrubber.longest]
            text = text[: self._scrubber.whole(text)]
        return self._scrubber.text(text)[:most]


def write_crash(message: str, method: str, name: str, request: str) -> None:
    """Writes the record of a request that this process could not see answered, since the server's own has ended."""
    said = {"type": CRASH, "message": message, "method": method, "name": name, "request": request}
    write_record(_record(said, []))


def _record(said: Mapping[str, Any], frames: Sequence[Mapping[str, Any]]) -> str:
    return f'{{"error":{encode({**said, "frames": frames})},"time":{time.time():.3f}}}'


def _shorten(frames: list[dict[str, Any]]) -> bool:
    """Removes what matters least of the frames, and tells whether there was anything."""
    for frame in frames[:-1]:
        if frame.pop("source", None) is not None:
            return True
    if not frames:
        return False
    del frames[: max(len(frames) // 2, 1)]
    return True


def _name_of(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _said_by(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its text cannot be read"


def _described(context: Any) -> tuple[str | None, str | None]:
    """Returns the method that is being answered, and the name of the tool or prompt: mcp 1.x and 2.x have `params`,
    and fastmcp a `message`.
    """
    method = getattr(context, "method", None)
    params = getattr(context, "params", None) or getattr(context, "message", None)
    name = params.get("name") if isinstance(params, Mapping) else getattr(params, "name", None)
    return method if isinstance(method, str) else None, name if isinstance(name, str) else None


# The one that writes the records of this process, if there is one.
_writing: list[ErrorRecords] = []


def record_errors(records: ErrorRecords) -> None:
    """Lets `report` write records from now on, and reports what ends a thread, and what is logged of the server's own
    code.
    """
    _writing[:] = [records]
    excepthook, handle = threading.excepthook, logging.Handler.handle

    def report_and_print(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None:
            report(ended.exc_value)
        excepthook(ended)

    def report_and_handle(handler: logging.Handler, record: logging.LogRecord) -> Any:
        if record.exc_info and record.exc_info[1] is not None and record.levelno >= logging.ERROR:
            report(record.exc_info[1], only_own=True)
        return handle(handler, record)

    threading.excepthook = report_and_print
    logging.Handler.handle = report_and_handle  # type: ignore[method-assign, assignment]


def report(error: BaseException, kind: str | None = None, *, only_own: bool = False) -> None:
    """Records an exception whose kind is `exception`, since others concern the caller; with `only_own` one that has
    passed the server's own code: libraries log what clients do to them, too.
    """
    # Whatever an exception does when it is looked at, the call goes on.
    with suppress(Exception):
        for records in _writing:
            if (kind or kind_of(error)) == "exception":
                records.write(meant(error), only_own=only_own)


def report_end(reason: str, said: Iterable[str], request: Mapping[str, Any]) -> None:
    """Records that a program in another process ended while it answered `request` (ErrorRecords.write_end)."""
    with suppress(Exception):
        for records in _writing:
            records.write_end(reason, said, request)
