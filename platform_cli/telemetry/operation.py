"""Reads what a worker says of an operation: the server's code runs in the same process, so it may say anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from homeport_runtime.guard.operations import METHODS, OTHER
from homeport_runtime.guard.shown import MAX_NAME, MAX_SHOWN

from ..records import MAX_MS, MAX_TIME, is_number

if TYPE_CHECKING:
    from ..api.log_record import LogRecord

# What an operation may have come to; ERROR is a failure of which a runtime of an earlier version does not say more.
OK, ERROR, ABANDONED = "ok", "error", "abandoned"
# What was refused before the server got it, after no time at all.
REFUSED = ("refused", "limited")
KINDS = (
    OK, "arguments", "unknown", "tool", "exception", "protocol", *REFUSED, ABANDONED, "timeout", "crash", ERROR,
)  # fmt: skip
CALL = "tools/call"
_HEX = re.compile("[0-9a-f]+")
# A larger answer says nothing of a server; sums of it have to fit into 64 bits.
MAX_BYTES = 2**32


class Operation(NamedTuple):
    """Says what was asked of a server by `method`, and that it came to `kind` after `ms` milliseconds.

    `name` is that of the tool or prompt. A `cold` call waited for a worker to start. `code` is that of a JSON-RPC
    error, `protocol` the revision of MCP, `trace` and `parent` the ids of the caller's trace and of its span, in
    hexadecimal digits.
    """

    method: str
    name: str | None
    client: str
    kind: str
    ms: float
    cold: bool = False
    code: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    protocol: str | None = None
    request: str | None = None
    trace: str | None = None
    parent: str | None = None


class OperationLine(NamedTuple):
    """Is an operation that had its answer at `time`, seconds since 1970 by the worker's clock, in `release`; None for
    what the line does not say.
    """

    operation: Operation
    time: float | None
    release: object


def read_operation(line: str | bytes) -> OperationLine | None:
    """Returns the operation in a line that homeport_runtime.guard.operations wrote, None if the line holds none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    said = record.get("operation") if isinstance(record, dict) else None
    operation = _operation(said, said.get("method"), said.get("name")) if isinstance(said, dict) else None
    if operation is None:
        return None
    time = record.get("time")
    return OperationLine(operation, float(time) if is_number(time, MAX_TIME) else None, record.get("release"))


def called(record: LogRecord) -> Operation | None:
    """Returns the operation of a record with a `call`, None if it says what cannot be."""
    call = record["call"]
    return _operation({**call, "request": record.get("request")}, CALL, call["tool"])


def _operation(said: Mapping[str, Any], method: object, name: object) -> Operation | None:
    ms = said.get("ms")
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms < MAX_MS:
        return None
    return Operation(
        method=method if isinstance(method, str) and method in METHODS else OTHER,
        name=_text(name, MAX_NAME),
        client=_text(said.get("client"), MAX_SHOWN) or "unknown",
        kind=_kind(said),
        ms=float(ms),
        cold=said.get("start") == "cold",
        code=_number(said.get("code"), 2**31),
        bytes_in=max(_number(said.get("bytes_in"), MAX_BYTES) or 0, 0),
        bytes_out=max(_number(said.get("bytes_out"), MAX_BYTES) or 0, 0),
        protocol=_text(said.get("protocol"), 10),
        request=_text(said.get("request"), 16),
        trace=(trace := _id(said.get("trace"), 32)),
        # A span is one of a trace.
        parent=_id(said.get("parent"), 16) if trace else None,
    )


def _kind(said: Mapping[str, Any]) -> str:
    status, kind = said.get("status"), said.get("kind")
    if status in (OK, ABANDONED):
        return str(status)
    return kind if isinstance(kind, str) and kind in KINDS and kind != OK else ERROR


def _text(value: object, most: int) -> str | None:
    """Returns a text that every encoding has, without what could steer a terminal."""
    if not isinstance(value, str):
        return None
    text = value[:most]
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def _id(value: object, digits: int) -> str | None:
    """Returns an id of W3C Trace Context: one of zeros is none, as there."""
    if not isinstance(value, str) or len(value) != digits or not _HEX.fullmatch(value) or not value.strip("0"):
        return None
    return value


def _number(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and -most < value < most else None
