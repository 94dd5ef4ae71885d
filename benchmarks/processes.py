"""Processes as Linux tells of them (proc(5)): which one answers on a port, and the processor time that it has used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from .calls import STATELESS, Way, call_once

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """What all threads of the process have used, those that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / TICKS


def descendants(pid: int) -> list[int]:
    """The process, and all that it or one of its own has started, as far as they still belong to it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in descendants(int(child)))]


def parent(pid: int) -> int:
    """The process that has started this one, or taken it over."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def proportional_size(pid: int) -> int:
    """The PSS of a process, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def serving_process(port: int, way: Way = STATELESS) -> int:
    """Which process answers there: the tool `whoami` of the servers under tests/servers tells its own number, which is
    that of its PID namespace where it has one.
    """
    found = re.search(rb'"text": ?"([0-9]+) ', call_once(port, way, "whoami"))
    if found is None:
        raise SystemExit(f"whoami did not tell the process on port {port}")
    # A worker has the number of the process outside that waits for it: it is the one that is nested most deeply.
    return max((numbers for numbers in _numbers() if numbers[-1] == int(found[1])), key=len)[0]


def _numbers() -> Iterator[list[int]]:
    """Of each process its number here, and then in each PID namespace below."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            # It has ended meanwhile.
            continue
        numbers = text.partition("NSpid:")[2].partition("\n")[0].split()
        yield [int(number) for number in numbers]
