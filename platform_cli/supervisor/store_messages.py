"""Defines the messages between the control plane and its master: JSON, one object or list a line, over a socket pair.

The first line is the master's, and lists the names and descriptors that a new control plane inherits. All others are
the control plane's; the descriptors of a `keep` come with it (SCM_RIGHTS, unix(7)). Master and control plane may be of
different versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

# The most descriptors, and the most bytes, of one message.
MAX_DESCRIPTORS = 8
MAX_MESSAGE = 64 * 1024

STARTED = b'{"started": true}\n'


@dataclass(frozen=True, slots=True)
class Kept:
    """Is what is kept under a `name`; `note` is for the next control plane."""

    name: str
    note: str
    descriptors: tuple[int, ...]


def inheritance(kept: Iterable[Kept]) -> bytes:
    return json.dumps([(each.name, each.note, each.descriptors) for each in kept]).encode() + b"\n"


def read_inheritance(line: bytes) -> list[Kept]:
    return [Kept(name, note, tuple(descriptors)) for name, note, descriptors in json.loads(line)]


def keep(name: str, note: str, count: int) -> bytes:
    """Returns the message that keeps `count` descriptors under a name; with none it changes the note."""
    return json.dumps({"keep": name, "note": note, "count": count}).encode() + b"\n"


def drop(name: str) -> bytes:
    return json.dumps({"drop": name}).encode() + b"\n"
