"""Reads what a worker says of an error: the server's code runs in the same process, so it may say anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from homeport_runtime.guard.operations import METHODS, OTHER
from homeport_runtime.telemetry.error_records import CRASH, LINES, MAX_FRAMES, MAX_LINE, MAX_MESSAGE, MAX_NAME

if TYPE_CHECKING:
    from ..api.error_group import ErrorFrame

# A record with all of its texts escaped; a longer one is none of ours.
MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """Says that the server raised an exception of `type` that nobody handled, or that its process ended.

    It answered `method`, `name` being that of the tool or prompt; both are None for what belongs to no request. The
    `type` of a crash is CRASH.
    """

    kind: Literal["exception", "crash"]
    type: str
    message: str
    method: str | None
    name: str | None
    request: str | None
    frames: tuple[ErrorFrame, ...] = ()

    @property
    def own(self) -> tuple[ErrorFrame, ...]:
        """Returns the frames of the server's own code."""
        return tuple(frame for frame in self.frames if frame["own"])


def read_error(line: bytes) -> ErrorEvent | None:
    """Returns the error in a line that homeport_runtime.telemetry.error_records or supervisor.open_calls wrote, None if
    the line holds none.
    """
    if len(line) > MAX_BYTES:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    said = record.get("error") if isinstance(record, dict) else None
    if not isinstance(said, dict):
        return None
    kind, frames = _text(said.get("type"), MAX_NAME), said.get("frames")
    if not kind or not isinstance(frames, list) or len(frames) > MAX_FRAMES:
        return None
    read = [_frame(each) for each in frames]
    if None in read:
        return None
    method = said.get("method")
    known = method if isinstance(method, str) and method in METHODS else OTHER
    return ErrorEvent(
        kind="crash" if kind == CRASH else "exception",
        type=kind,
        message=_text(said.get("message"), MAX_MESSAGE, lines=True) or "",
        method=known if method is not None else None,
        name=_text(said.get("name"), MAX_NAME),
        request=_text(said.get("request"), 16),
        frames=tuple(frame for frame in read if frame is not None),
    )


def _frame(said: object) -> ErrorFrame | None:
    if not isinstance(said, dict):
        return None
    file, function = _text(said.get("file"), MAX_LINE), _text(said.get("function"), MAX_LINE)
    line, start = _line(said.get("line")), _line(said.get("start", 1))
    if file is None or function is None or line is None or start is None:
        return None
    source = _source(said)
    return {
        "file": file, "function": function, "line": line, "own": said.get("own") is True, "source": source,
        "source_start": start if source else 0,
    }  # fmt: skip


def _source(said: Mapping[str, Any]) -> list[str]:
    lines = said.get("source")
    if not isinstance(lines, list) or len(lines) > LINES:
        return []
    return [_text(line, MAX_LINE) or "" for line in lines]


def _line(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _text(value: object, most: int, *, lines: bool = False) -> str | None:
    """Returns a text that every encoding has, without what could steer a terminal, but for line ends with `lines`."""
    if not isinstance(value, str):
        return None
    if value.isprintable():
        return value[:most]
    kept = "\n\t" if lines else "\t"
    return "".join(each if each.isprintable() or each in kept else "?" for each in value[:most])
