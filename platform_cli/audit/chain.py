"""Binds the lines of an audit log to each other: each holds the SHA-256 of the line before it, and its own.

An edit, an insertion, a removal and a swap inside the log break it. A cut at the end does not, so the head, the number
and hash of the last line, is kept elsewhere, too (heads.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from homeport_runtime.compact_json import encoder

from .entry import Entry

_END = re.compile(rb',"hash":"([0-9a-f]{64})"\}$')
_HEAD = re.compile(rb'\{"seq":(\d{1,18}),')
_TIME = re.compile(rb'^\{"seq":\d{1,18},"timestamp":"([0-9T:.Z-]{20,32})"')
_PREV = re.compile(rb',"prev":"([0-9a-f]{64})","hash":"[0-9a-f]{64}"\}$')
_ENCODE = encoder(ensure_ascii=False)


class Head(NamedTuple):
    """Is the end of a chain: the number of the last line, and its hash."""

    seq: int
    hash: str


# Before the first line.
NOTHING = Head(0, "0" * 64)


@dataclass(frozen=True, slots=True)
class Break:
    """Says at which line a chain is broken, and how."""

    seq: int
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Holds what following a chain found: its first and last line, and the first break, None if it is whole."""

    lines: int
    first: int | None
    head: Head
    broken: Break | None


def chained(entry: Entry, project: str, release: str, head: Head, *, lost: int = 0) -> tuple[bytes, Head]:
    """Returns the line of `entry` that follows `head`, without its line end, and the head after it."""
    at, client, tool, arguments, result, scopes, user, address, method, request, ms, reason = entry
    more = f',"reason":{_ENCODE(reason)}' if reason else ""
    if lost:
        more += f',"lost":{lost}'
    number = head.seq + 1
    # Put together by hand, since an encoder takes longer for it than for all else that is done with a line.
    text = (
        f'{{"seq":{number},"timestamp":"{timestamp(at)}",{_caller(client, tool)},"arguments":{arguments},'
        f"{_call(result, scopes, user, address, method, project, release)},"
        f'"request":{_ENCODE(request)},"ms":{ms:.2f}{more},"prev":"{head.hash}"'
    ).encode("utf-8", "replace")
    digest = sha256(text + b"}").hexdigest()
    return text + f',"hash":"{digest}"}}'.encode(), Head(number, digest)


# Few callers, tools and results are in most of the lines.
@lru_cache(maxsize=1024)
def _caller(client: str | None, tool: str | None) -> str:
    return _members(client_id=client, tool_name=tool)


@lru_cache(maxsize=1024)
def _call(
    result: str, scopes: tuple[str, ...], user: str | None, address: str | None, method: str, project: str, release: str
) -> str:
    """Returns the members of a line from `result` to `release`."""
    return _members(
        result=result, scopes_used=scopes, user_id=user, ip_address=address, method=method, project=project,
        release=release,
    )  # fmt: skip


def _members(**members: object) -> str:
    return _ENCODE(members)[1:-1]


def timestamp(seconds: float) -> str:
    """Returns a time in UTC, to the millisecond (RFC 3339)."""
    whole, ms = divmod(round(seconds * 1e6) // 1000, 1000)
    return f"{_second(whole)}.{ms:03}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def number_of(line: bytes) -> int | None:
    """Returns the number that a line says it has."""
    found = _HEAD.match(line)
    return int(found[1]) if found else None


def timestamp_of(line: bytes) -> str | None:
    """Returns the time of a line as it has it."""
    found = _TIME.search(line)
    return found[1].decode() if found else None


def time_of(line: bytes) -> float:
    """Returns the time of a line, in seconds since 1970; 0 if it has none."""
    found = timestamp_of(line)
    try:
        return seconds_of(found) if found else 0.0
    except ValueError:
        return 0.0


def seconds_of(text: str) -> float:
    """Returns the seconds since 1970 of a `timestamp`."""
    return datetime.fromisoformat(text).timestamp()


def head_of(line: bytes) -> Head | None:
    """Returns the head after `line`, None if the line is not one of a chain, or is not what its hash says."""
    start, end = _HEAD.match(line), _END.search(line)
    if start is None or end is None:
        return None
    digest = sha256(line[: end.start()] + b"}").hexdigest()
    return Head(int(start[1]), digest) if digest == end[1].decode() else None


def follow(lines: Iterable[bytes], head: Head = NOTHING) -> Checked:
    """Follows a chain after `head`, up to its first break."""
    first, count = None, 0
    for line in lines:
        found, prev = head_of(line), _PREV.search(line)
        problem = None
        if found is None or prev is None:
            problem = "the line was changed"
        elif found.seq != head.seq + 1:
            problem = f"it is followed by line {found.seq}" if count else f"the log begins with line {found.seq}"
        elif prev[1].decode() != head.hash:
            problem = "the line before it is another one"
        if found is None or problem is not None:
            return Checked(count, first, head, Break(head.seq + 1, problem or ""))
        head, first, count = found, first if first is not None else found.seq, count + 1
    return Checked(count, first, head, None)
