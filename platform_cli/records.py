"""Reads log records: JSON objects, one a line, that a server may have written itself and in any shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeGuard, cast

if TYPE_CHECKING:
    from .api.log_record import LogRecord

LEVELS = ("debug", "info", "warning", "error")
# The latest time, in seconds since 1970, that can be shown everywhere.
MAX_TIME = 2.0**33
MAX_MS = 2.0**53


def read_record(line: str | bytes) -> LogRecord | None:
    """Returns the log record in a line, or None if the line holds none.

    A record has a `time` in seconds since 1970, one of LEVELS as its `level`, a `message` and a `release`. Further
    fields are single values, except `call`, which is as homeport_runtime.guard.calls writes it.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not _is_record(fields):
        return None
    record = {key: value for key, value in fields.items() if not isinstance(value, dict | list)}
    if "call" in fields:
        call = fields["call"]
        if not _is_call(call):
            return None
        record["call"] = call
    return cast("LogRecord", {**record, "release": str(fields.get("release") or "-")})


def _is_record(fields: dict[str, Any]) -> bool:
    return (
        is_number(fields.get("time"), MAX_TIME)
        and fields.get("level") in LEVELS
        and isinstance(fields.get("message"), str)
    )


# What each member of a call is. Those of OPTIONAL are not always there, and runtimes of earlier versions write none.
_TEXTS = ("tool", "client", "status", "start")
OPTIONAL = {"bytes_in": int, "bytes_out": int, "code": int, "kind": str, "protocol": str, "trace": str, "parent": str}


def _is_call(call: object) -> bool:
    if not isinstance(call, dict) or not {*_TEXTS, "ms"} <= set(call) <= {*_TEXTS, "ms", *OPTIONAL}:
        return False
    more = all(isinstance(call[key], kind) for key, kind in OPTIONAL.items() if key in call)
    return more and all(isinstance(call[key], str) for key in _TEXTS) and is_number(call["ms"], MAX_MS)


def is_number(value: object, most: float) -> TypeGuard[float]:
    """Tells whether a value is a number from 0 to less than `most`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < most
