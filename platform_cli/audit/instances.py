"""Reads audit logs of processes without a platform, each of which binds its own lines and prints them
(homeport_runtime.guard.audit_chain); their host keeps what they print.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..api.audit_entry import Verified
from .chain import NOTHING, Break, Checked, Head, follow, number_of, time_of
from .search import AuditQuery
from .verify import report

if TYPE_CHECKING:
    from ..api.audit_entry import AuditEntry

# How such a line begins, and no record.
BEGINNING = '{"seq":'


def is_line(text: str) -> bool:
    """Tells whether what a process printed is a line of its audit log."""
    return text.startswith(BEGINNING) and '"instance":"' in text and '"hash":"' in text


def selected(lines: Iterable[bytes], query: AuditQuery) -> Iterator[AuditEntry]:
    """Yields the lines that the query selects; one that somebody has made unreadable is left out."""
    for line in lines:
        try:
            entry: AuditEntry = json.loads(line)
        except ValueError:
            continue
        if time_of(line) >= query.since and query.wants(entry):
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
    try:
        return NOTHING if seq == 1 else Head(seq - 1, str(json.loads(line)["prev"]))
    except (ValueError, KeyError):
        return Head(seq - 1, "")


def _instance_of(line: bytes) -> str:
    try:
        return str(json.loads(line)["instance"])
    except (ValueError, KeyError):
        return "unknown"
