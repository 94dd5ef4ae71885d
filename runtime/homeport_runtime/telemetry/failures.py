"""Remembers of what kind of exception a request failed, until the record of its operation is written.

An answer does not tell: the SDKs answer a crash, a wrong argument and what a tool means to say in the same way.
"""

from __future__ import annotations

from . import request_id

# The failures that are kept; one stays only if its request was answered without a record.
MAX_KEPT = 256

_kinds: dict[str, str] = {}


def note_failure(kind: str) -> None:
    """Notes that the request that is being answered fails; what was noted first is nearest to the cause."""
    request = request_id.get()
    if request is None:
        return
    if len(_kinds) >= MAX_KEPT:
        del _kinds[next(iter(_kinds))]
    _kinds.setdefault(request, kind)


def take_failure(request: str) -> str | None:
    """Returns the kind of failure that was noted for a request, None if there was none, and forgets it."""
    return _kinds.pop(request, None)
