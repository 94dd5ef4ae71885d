"""Reads the record of a tool call that went well, as homeport_runtime.guard.calls writes it.

Most of what workers write is such records, and to decode one as JSON and look at each of its members takes five times
as long. What is written in another way is read in that way (records.read_record, operation.called).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from homeport_runtime.guard.shown import MAX_NAME, MAX_SHOWN

from .operation import CALL, OK, Operation

# Below `records.MAX_TIME`, to the millisecond; no number of JSON begins with a zero.
_TIME = r"([1-9]\d{8}\.\d{3}|[1-7]\d{9}\.\d{3})"
_NUMBER = r"(?:0|[1-9]\d{0,8})"
# What needs no escape in JSON.
_TEXT = r'[^"\\\x00-\x1f]'
_LINE = re.compile(
    rf'\{{"time":{_TIME},"level":"info","message":"tools/call ({_TEXT}{{1,{MAX_NAME}}}): ok",'
    rf'"request":"([0-9a-f]{{16}})","call":\{{"tool":"(?:\2)","client":"({_TEXT}{{1,{MAX_SHOWN}}})",'
    rf'"start":"(cold|warm)","bytes_in":({_NUMBER})(?:,"trace":"([0-9a-f]{{32}})","parent":"([0-9a-f]{{16}})")?'
    rf'(?:,"protocol":"([0-9-]{{10}})")?,"status":"ok","ms":({_NUMBER}\.\d\d),"bytes_out":({_NUMBER})\}}\}}',
    re.ASCII,
)
_NO_TRACE = "0" * 32


class CallLine(NamedTuple):
    """Is a tool call that had its answer at `time`, seconds since 1970 by the worker's clock."""

    time: float
    operation: Operation


def read_call_line(line: bytes) -> CallLine | None:
    """Returns the call in a record, without what ends its line; None if it is written in another way."""
    try:
        found = _LINE.fullmatch(line.decode())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    time, tool, request, client, start, bytes_in, trace, parent, protocol, ms, bytes_out = found.groups()
    if not tool.isprintable() or not client.isprintable() or trace == _NO_TRACE:
        return None
    operation = Operation(
        CALL, tool, client, OK, float(ms), start == "cold", None, int(bytes_in), int(bytes_out),
        protocol, request, trace, parent,
    )  # fmt: skip
    return CallLine(float(time), operation)
