"""Records parts of libraries that homeport relies on and did not find, since what needs them would fail silently."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """Says that `part` of `library` is not where it was in all versions that were tried.

    `effect` is what that means to clients or to the program.
    """

    library: str
    part: str
    effect: str


# The gaps of this process, each once and in the order of their detection; a fork has those of its zygote.
_FOUND: dict[Gap, None] = {}


def record_gap(library: str, part: str, effect: str) -> None:
    _FOUND[Gap(library, part, effect)] = None


def recorded_gaps() -> tuple[Gap, ...]:
    return tuple(_FOUND)
