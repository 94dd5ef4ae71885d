"""A log record as it is read: one JSON object a line, which a server may have written itself and in any shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .api.log_record import LogRecord

LEVELS = ("debug", "info", "warning", "error")
# Seconds since 1970 up to which a time can be shown everywhere.
MAX_TIME = 2.0**33
MAX_MS = 2.0**53


def read_record(line: str | bytes) -> LogRecord | None:
    """The record, or None for what is none. It has a `time` in seconds since 1970, one of LEVELS as its `level`, a
    `message` and a `release`; further fields are single values but for `call`, which is as the guard writes it
    (homeport_runtime.guard.calls).
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
        _is_number(fields.get("time"), MAX_TIME)
        and fields.get("level") in LEVELS
        and isinstance(fields.get("message"), str)
    )


def _is_call(call: object) -> bool:
    if not isinstance(call, dict):
        return False
    texts = ("tool", "client", "status", "start")
    return (
        {*texts, "ms"} == set(call) and all(isinstance(call[k], str) for k in texts) and _is_number(call["ms"], MAX_MS)
    )


def _is_number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < most
