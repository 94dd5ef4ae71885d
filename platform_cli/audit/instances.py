"""Reads audit logs of processes without a platform, each of which binds its own lines and prints them
(homeport_runtime.guard.audit_chain); their host keeps what they print.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, cast

from ..api.audit_entry import AuditEntry, Verified
from ..api.audit_query import AuditQuery
from .chain import NOTHING, Break, Checked, Head, follow, number_of, time_of, timestamp_of
from .entry import entry_of
from .verify import report

# How such a line begins, and no record.
BEGINNING = '{"seq":'
# The fields of every line, those of them that are texts, and those that may be.
_FIELDS = AuditEntry.__annotations__.keys() - {"reason", "lost", "instance"}
_TEXTS = ("method", "project", "release", "prev", "hash")
_OPTIONAL_TEXTS = ("client_id", "tool_name", "user_id", "ip_address", "request", "reason")


def is_line(text: str) -> bool:
    """Tells whether what a process printed is a line of its audit log."""
    return text.startswith(BEGINNING) and '"instance":"' in text and '"hash":"' in text


def selected(lines: Iterable[bytes], query: AuditQuery) -> Iterator[AuditEntry]:
    """Yields the lines that the query selects; what is none is left out, since the server prints to the same output."""
    for line in lines:
        if time_of(line) >= query.since and (entry := _entry(line)) is not None and query.wants(entry):
            yield entry


def verify_instances(project: str, lines: Iterable[bytes]) -> Verified:
    """Verifies the chain of each instance, whose lines may come in any order, and each more than once.

    What is older than the host keeps is missing at the beginning of a chain, and nobody knows where a chain ends.
    """
    chains: dict[str, dict[int, bytes]] = defaultdict(dict)
    for line in lines:
        known = chains[_instance_of(line)].setdefault(number_of(line) or 0, line)
        if known != line:
            twice = _broken(number_of(line) or 0, "there are two lines of that number", _instance_of(line))
            return report(project, twice)
    count = 0
    for instance, found in chains.items():
        ordered = [found[seq] for seq in sorted(found)]
        checked = follow(ordered, _before(ordered[0]))
        count += checked.lines
        if checked.broken is not None:
            return report(project, _broken(checked.broken.seq, checked.broken.problem, instance))
    return {**report(project, Checked(0, None, NOTHING, None)), "lines": count}


def _broken(seq: int, problem: str, instance: str) -> Checked:
    return Checked(0, None, NOTHING, Break(seq, f"{problem}, in instance {instance}"))


def _before(line: bytes) -> Head:
    """Returns the head before the oldest line that is kept."""
    seq = number_of(line) or 1
    return NOTHING if seq == 1 else Head(seq - 1, str(_fields(line).get("prev", "")))


def _instance_of(line: bytes) -> str:
    return str(_fields(line).get("instance", "unknown"))


def _entry(line: bytes) -> AuditEntry | None:
    """Returns the entry that a line is, None if it is none."""
    said, time = _fields(line), time_of(line)
    is_entry = (
        said.keys() >= _FIELDS
        and said["timestamp"] == timestamp_of(line)
        and all(isinstance(said[name], str) for name in _TEXTS)
        and all(isinstance(said.get(name), str | None) for name in _OPTIONAL_TEXTS)
        and entry_of(said, time or None) is not None
    )
    return cast("AuditEntry", said) if is_entry else None


def _fields(line: bytes) -> dict[str, Any]:
    """Returns the fields of a line, none of one that is no JSON object."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
