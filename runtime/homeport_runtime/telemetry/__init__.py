"""Writes log records, JSON objects, one a line, for what a server prints and for the calls that it answers.

A line that this runtime made starts with RECORD, which distinguishes it from text that the server, or a program it
started, wrote directly to the file descriptor.
"""

from __future__ import annotations

import contextvars
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..compact_json import encoder
from .lines import NO_SECRETS, LineStream
from .raw_output import RawOutput
from .scrub import Scrubber

RECORD = "\x1e"

request_id: contextvars.ContextVar[str | None] = contextvars.ContextVar("homeport_request_id", default=None)

# The level of the text that is being written, where its writer (logging, warnings) knows it.
_written_level: contextvars.ContextVar[str | None] = contextvars.ContextVar("homeport_level", default=None)


encode = encoder(ensure_ascii=False)


# Set by `store_output`, for records that nobody completes and scrubs on their way.
_scrubber: Scrubber | None = None
_origin = ""
# Return further members of a record, for hosts that read more in it.
_extensions: list[Callable[[str], str]] = []
# The lines of the logging record that is being written, where they are to be one record.
_gathered: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("homeport_gathered", default=None)
_raw: RawOutput | None = None


def store_output(scrubber: Scrubber, **origin: Any) -> None:
    """Captures output as `capture_output` does, for hosts that store it as it is, such as Lambda.

    All of it is scrubbed, records have the fields `origin`, and what logging writes at once is one record, with its
    traceback.
    """
    global _scrubber, _origin, _raw
    raw = RawOutput(scrubber) if scrubber.longest else None
    _origin, _scrubber, _raw = encode(origin)[1:-1] if origin else "", scrubber, raw
    capture_output(scrubber)


def extend_records(more: Callable[[str], str]) -> None:
    """Adds to each record that is stored as it is what `more` returns for it: nothing, or members after a comma."""
    _extensions.append(more)


def drain_output(*, whole: bool = False) -> None:
    """Writes output that is still buffered, before the process is frozen or, with `whole`, ends."""
    if _raw is not None:
        _raw.drain(whole=whole)


def scrubbed(text: object) -> str:
    """Returns text without secrets, for text that is not written as a record."""
    return _scrubber.text(str(text)) if _scrubber else str(text)


def emit(level: str, message: str, **fields: Any) -> None:
    """Writes one record."""
    # Put together by hand, since the encoder is slow with anything but a text.
    more = "".join(f',"{name}":{encode(value)}' for name, value in fields.items())
    write_record(f'{{"time":{time.time():.3f},"level":"{level}","message":{encode(message)}{more}}}')


def write_record(record: str) -> None:
    """Writes a record to standard output: a JSON object, and in the same line what else the platform is told with it
    (guard.audit).
    """
    if _origin:
        more = "".join(extend(record) for extend in _extensions)
        record = f"{record[:-1]},{_origin}{more}}}"
    line = f"{RECORD}{record}\n".encode("utf-8", "replace")
    _write(_scrubber.line(line).removeprefix(RECORD.encode()) if _scrubber else line)


def write_line(line: bytes) -> None:
    """Writes a line without its end as it is; what is secret in it was removed by `scrubbed`."""
    _write(line + b"\n")


def _write(data: bytes) -> None:
    descriptor = _raw.records if _raw else 1
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            # The platform is gone, and this worker will be in a moment.
            return


def capture_output(scrubber: Scrubber = NO_SECRETS) -> None:
    """Makes records of what print(), logging and warnings write; programs that the server starts still write plain
    lines.

    `scrubber` knows the secrets, so that none is ever split between two records, where it could not be found.
    """
    before = sys.stdout, sys.stderr
    sys.stdout = _stream(1, "<stdout>", "info", scrubber)
    sys.stderr = _stream(2, "<stderr>", "error", scrubber)
    _move_handlers({id(old): new for old, new in zip(before, (sys.stdout, sys.stderr), strict=True)})
    _tell_levels()


def write_log(line: str) -> None:
    """Writes a line of a program that is served over stdio to standard error.

    What such a program writes there is its log and need not be an error (MCP 2025-11-25, "stdio").
    """
    token = _written_level.set(_named_level(_COLOURS.sub("", line)) or "info")
    try:
        print(line, file=sys.stderr, flush=True)
    finally:
        _written_level.reset(token)


def _stream(fd: int, name: str, level: str, scrubber: Scrubber) -> LineStream:
    return LineStream(fd, name, lambda text, request: _emit_text(level, text, request), request_id.get, scrubber)


def _emit_text(default: str, line: str, request: str | None) -> None:
    line = _COLOURS.sub("", line)
    gathered = _gathered.get()
    if gathered is not None:
        gathered.append(line)
        return
    level = _written_level.get() or _named_level(line) or default
    emit(level, line, **({"request": request} if request else {}))


def _move_handlers(streams: Mapping[int, Any]) -> None:
    """Gives the new streams to logging handlers that hold the old ones, such as those of fastmcp in a zygote."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for handler in {handler for logger in loggers for handler in getattr(logger, "handlers", ())}:
        if isinstance(handler, logging.StreamHandler) and id(handler.stream) in streams:
            handler.setStream(streams[id(handler.stream)])


_LEVELS = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "INFO": "info",
    "SUCCESS": "info",
    "WARN": "warning",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "error",
    "FATAL": "error",
}


_NAMES = "|".join(_LEVELS)
_NAMED = re.compile(rf"^\W*((?i:{_NAMES})):|\[((?i:{_NAMES})) *\]|\b({_NAMES})\b")
# Control sequences for colours, which libraries write that do not ask where to (ECMA-48, "Select graphic rendition").
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def _named_level(line: str) -> str | None:
    """Returns the level that a log line of the usual forms names at its start: `ERROR:root:...`, `warn: ...`,
    `2026-11-30 12:00:00 [info  ] ...`.
    """
    found = _NAMED.search(line[:60])
    return _LEVELS[found[found.lastindex or 0].upper()] if found else None


def _tell_levels() -> None:
    """Notes the level of what logging and warnings write.

    Log formats often omit it (that of the SDKs is `%(message)s`), and nearly all handlers write to stderr.
    """
    handle, showwarning = logging.Handler.handle, warnings.showwarning

    def handle_with_level(handler: logging.Handler, record: logging.LogRecord) -> Any:
        level = _level_of(record.levelno)
        token, lines = _written_level.set(level), _gathered.set([] if _scrubber else None)
        try:
            return handle(handler, record)
        finally:
            gathered = _gathered.get()
            _gathered.reset(lines)
            _written_level.reset(token)
            if gathered:
                _emit_text(level, "\n".join(gathered), request_id.get())

    def show_with_level(*args: Any, **kwargs: Any) -> None:
        token = _written_level.set("warning")
        try:
            showwarning(*args, **kwargs)
        finally:
            _written_level.reset(token)

    logging.Handler.handle = handle_with_level  # type: ignore[method-assign, assignment]
    warnings.showwarning = show_with_level


def _level_of(number: int) -> str:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
