"""Checks the messages of a zygote before anybody acts on them, since packages that it has imported may write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .messages import text

# The longest message, in bytes.
MAX_MESSAGE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """Reports what a zygote found while it imported modules.

    It contains the number of remaining threads, the `offender` that started one, and the variables that were read
    (import_effects.py). Zygotes of earlier versions do not report `packages`.
    """

    threads: int
    offender: str | None
    names: tuple[str, ...]
    packages: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Forked:
    pid: int


@dataclass(frozen=True, slots=True)
class Preforked:
    """Reports a process that waits to become the next worker."""

    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """Reports the end of a child; `code` is negative for a signal."""

    pid: int
    code: int


@dataclass(frozen=True, slots=True)
class Signalled:
    """Reports that a signal was sent, or that there was nobody to send it to any more."""

    pid: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Reports what a container's processes may have: bytes of memory, their number, and thousandths of a processor.

    Each is -1 for no limit, and None if the container cannot know. With `tried` it has written to each descriptor that
    came with the order, which runtimes of older versions do not.
    """

    memory: int | None
    pids: int | None
    cpu: int | None
    tried: bool = False


Message = Loaded | Forked | Preforked | Exited | Signalled | Limits


def read_message(line: bytes) -> Message:
    """Returns the message in a line.

    Raises ValueError for a line that no zygote writes.
    """
    try:
        fields = json.loads(line)
        match fields["event"]:
            case "loaded":
                return _loaded(fields)
            case "forked":
                return Forked(_whole(fields["pid"]))
            case "preforked":
                return Preforked(_whole(fields["pid"]))
            case "exited":
                return Exited(_whole(fields["pid"]), _whole(fields["code"]))
            case "signalled":
                return Signalled(_whole(fields["pid"]))
            case "limits":
                # Runtimes of older versions do not have the processor's.
                memory, pids, cpu = (_whole_or_none(fields.get(name)) for name in ("memory", "pids", "cpu"))
                return Limits(memory, pids, cpu, tried=fields.get("tried") is True)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ValueError("no message of a zygote's")


def is_below(pid: int, ancestor: int) -> bool:
    """Tells whether `ancestor` has started the process `pid`, or its parent; a zygote may report no other."""
    return ancestor in (parent := _parent(pid), _parent(parent))


def _parent(pid: int) -> int:
    """Returns the parent's id, 0 without one (proc_pid_stat(5)); the name, in parentheses, may
    contain any character.
    """
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _loaded(fields: Mapping[str, Any]) -> Loaded:
    offender, packages = fields.get("offender"), fields.get("packages")
    return Loaded(
        threads=_whole(fields["threads"]),
        offender=None if offender is None else text(offender),
        names=tuple(map(text, fields.get("names", ()))),
        packages=None if packages is None else tuple(map(text, packages)),
    )


def _whole_or_none(value: object) -> int | None:
    return None if value is None else _whole(value)


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("no number")
    return value
