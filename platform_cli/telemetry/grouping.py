"""Decides which errors have one cause: those of one type that come from the same functions of the server's own code.

Neither lines nor messages count, so that a group stays one when the file changes around it. Where no code of the
server's own is involved, the message takes its place, without what differs each time.
"""

from __future__ import annotations

import hashlib
import re

from .error_event import ErrorEvent

# What the algorithm of a key is called, which is stored with it: another one makes other groups.
VERSION = 1
# The innermost frames that count.
FRAMES = 4
MAX_TEXT = 300
_DIFFERS = re.compile(
    r"""
    (?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    | (?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s'"<>]{1,300})
    | (?P<email>\b[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}\b)
    | (?P<path>(?<![\w/])/[^\s'":,]{1,300})
    | (?P<quoted>'[^']{0,300}'|"[^"]{0,300}")
    | (?P<hex>\b(?:0x[0-9a-f]+|(?=[a-f]{0,40}[0-9])[0-9a-f]{7,})\b)
    | (?P<number>\d+(?:\.\d+)?)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def key_of(event: ErrorEvent) -> str:
    """Returns the key of the group to which an error belongs."""
    parts = [str(VERSION), event.kind, event.type]
    places: list[str] = []
    for frame in event.own:
        place = f"{frame['file']}:{frame['function']}"
        # A recursion is as deep as it is.
        if places[-1:] != [place]:
            places.append(place)
    if event.kind == "crash":
        parts += [event.method or "", event.name or ""]
    elif places:
        parts += places[-FRAMES:]
    else:
        parts += [event.method or "", event.name or "", normalised(event.message)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def normalised(message: str) -> str:
    """Returns the first line of a message, with words for what differs from one error to the next."""
    first = (message.strip().splitlines() or [""])[0]
    return _DIFFERS.sub(lambda found: f"<{found.lastgroup}>", first[:MAX_TEXT])
