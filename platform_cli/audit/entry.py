"""Reads what a worker says of a call: the server's code runs in the same process, so it may say anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, get_args

from homeport_runtime.compact_json import encoder
from homeport_runtime.protocol.messages import read_text

from ..api.audit_entry import Result
from ..records import MAX_MS, MAX_TIME, is_number

# What a line may have, so that one call cannot fill the log (homeport_runtime.guard.audit keeps to it).
MAX_LINE = 96 * 1024
MAX_TEXT = 256
MAX_SCOPES = 64
# The bytes of what says who called what that are remembered, since few callers make most calls.
MAX_KNOWN = 4096
RESULTS = get_args(Result)
NO_ARGUMENTS = "null"
_DECODE = json.JSONDecoder().raw_decode
_ENCODE = encoder(ensure_ascii=False)
# An object of texts without escapes, whole numbers and the like, as most arguments are: to decode one and encode it
# again makes the same of it, and takes four times as long.
_TEXT = r'"[^"\\\x00-\x1f]*"'
_PLAIN = re.compile(rf"\{{(?:{_TEXT}:(?:{_TEXT}|-?[1-9]\d{{0,15}}|0|true|false|null)(?:,(?=\")|(?=\}})))*\}}", re.ASCII)


class Entry(NamedTuple):
    """Says who called what, at `time` (seconds since 1970), and what became of it after `ms` milliseconds.

    `arguments` are JSON, as a line has it.
    """

    time: float
    client_id: str | None
    tool_name: str | None
    arguments: str
    result: str
    scopes_used: tuple[str, ...]
    user_id: str | None
    ip_address: str | None
    method: str
    request: str | None
    ms: float
    reason: str | None = None


class Audited(NamedTuple):
    """Says who called what, without what became of it."""

    who: Entry
    arguments: str

    def entry(self, time: float, result: str, request: str | None, ms: float) -> Entry:
        """Returns the entry of the call that ended at `time`."""
        _, client, tool, _, _, scopes, user, address, method, *_ = self.who
        return Entry(time, client, tool, self.arguments, result, scopes, user, address, method, request, ms)


def read_audited(who: bytes, arguments: bytes) -> Audited | None:
    """Returns what homeport_runtime.guard.audit wrote beside the record of a call, None if it is something else."""
    said = (_known_who if len(who) <= MAX_KNOWN else _read_who)(who)
    if said is None:
        return None
    try:
        return Audited(said, _arguments(arguments) if len(who) + len(arguments) <= MAX_LINE else NO_ARGUMENTS)
    except (ValueError, RecursionError):
        return None


def _arguments(said: bytes) -> str:
    """Returns arguments as a line has them.

    Raises ValueError or RecursionError if they are none.
    """
    text = said.decode()
    return text if _PLAIN.fullmatch(text) else _encoded(read_text(said, _DECODE))


def _encoded(arguments: Any) -> str:
    """Returns arguments as JSON, and none of a server's own making that are as deep as can just be decoded."""
    try:
        return _ENCODE(arguments)
    except RecursionError:
        return NO_ARGUMENTS


def _read_who(said: bytes) -> Entry | None:
    try:
        fields = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return entry_of({**fields, "ms": 0, "result": RESULTS[0]}, 0) if isinstance(fields, dict) else None


_known_who = lru_cache(maxsize=1024)(_read_who)


def read_entry(line: str | bytes) -> Entry | None:
    """Returns the entry in a line that homeport_runtime.guard.audit wrote, None if the line holds none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    said = record.get("audit") if isinstance(record, dict) else None
    if not isinstance(said, dict):
        return None
    if len(line) > MAX_LINE:
        said["arguments"] = None
    return entry_of(said, record.get("time"))


def entry_of(said: Mapping[str, Any], time: object) -> Entry | None:
    """Returns the entry with the fields `said`, its texts cut to what a line may have; None if they are none."""
    get = said.get
    ms, result, scopes = get("ms"), get("result"), get("scopes_used")
    if not is_number(time, MAX_TIME) or not is_number(ms, MAX_MS) or result not in RESULTS:
        return None
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        return None
    return Entry(
        float(time),
        _text(get("client_id")),
        _text(get("tool_name")),
        _encoded(get("arguments")),
        str(result),
        tuple([each[:MAX_TEXT] for each in scopes[:MAX_SCOPES]]),
        _text(get("user_id")),
        _text(get("ip_address")),
        _text(get("method")) or "-",
        _text(get("request")),
        float(ms),
        _text(get("reason")),
    )


def _text(value: object) -> str | None:
    return value[:MAX_TEXT] if isinstance(value, str) else None
