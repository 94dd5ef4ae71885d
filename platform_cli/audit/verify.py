"""Verifies a whole audit log: each line against the one before it, and the last one against the head in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..api.audit_entry import Verified
from . import files
from .chain import NOTHING, Break, Checked, Head, follow, head_of, number_of


def verify(folder: Path, start: Head, stored: Head) -> Checked:
    """Follows the log in `folder`, whose lines up to `start` have been removed, and which had reached `stored`."""
    seen: list[Head] = []

    def kept() -> Iterator[bytes]:
        for line in files.lines(folder):
            number = number_of(line)
            # A file that is about to be removed because of its age.
            if number is not None and number <= start.seq:
                continue
            if number == stored.seq and (head := head_of(line)) is not None:
                seen.append(head)
            yield line

    checked = follow(kept(), start)
    if checked.broken is not None or stored == NOTHING or stored.seq <= start.seq:
        return checked
    if checked.head.seq < stored.seq:
        cut = Break(checked.head.seq + 1, f"the log ends here, and had {stored.seq} lines")
        return replace(checked, broken=cut)
    if seen != [stored]:
        return replace(checked, broken=Break(stored.seq, "the line is not the one that was written"))
    return checked


def report(project: str, checked: Checked) -> Verified:
    return {
        "project": project,
        "ok": checked.broken is None,
        "lines": checked.lines,
        "first": checked.first,
        "last": checked.head.seq if checked.lines else None,
        "broken_at": checked.broken.seq if checked.broken else None,
        "problem": checked.broken.problem if checked.broken else None,
    }
