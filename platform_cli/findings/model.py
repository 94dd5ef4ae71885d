"""What was found, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` is its name for programs; `text` says in one line what is so, `hint` what to do where that is not wanted.
    Neither has the value of a variable in it.
    """

    kind: str
    text: str
    hint: str
