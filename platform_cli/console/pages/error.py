"""Shows one group of errors: the newest traceback with its source, and how often each release had it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...api.error_group import Change, ErrorFrame, State
from ...errors import NotFoundError
from ..page import Asked, Page

# What may be made of a group, by what it is: the state, what its button says, and what it means.
Action = tuple[Change, str, str]
RESOLVE: Action = ("resolved", "Resolve", "It opens again if a later release has it.")
MUTE: Action = ("muted", "Mute", "It is counted and shown among all errors alone.")
REOPEN: Action = ("open", "Open again", "It is among the open errors again.")
ACTIONS: Mapping[State, tuple[Action, ...]] = {
    "open": (RESOLVE, MUTE),
    "regressed": (RESOLVE, MUTE),
    "resolved": (REOPEN,),
    "muted": (REOPEN, RESOLVE),
}


@dataclass(frozen=True, slots=True)
class Part:
    """Is a part of a traceback: frames of the server's own, or of libraries, which are folded."""

    own: bool
    frames: tuple[ErrorFrame, ...]


async def load(asked: Asked) -> Mapping[str, object]:
    number = asked.path["group"]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise NotFoundError(f"{asked.project} has no error {number!r}")
    group = await asked.source.error(asked.project, int(number))
    samples = [(sample, [*_parts(sample["frames"])]) for sample in group["samples"]]
    return {"group": group, "samples": samples, "actions": ACTIONS[group["state"]]}


def _parts(frames: Sequence[ErrorFrame]) -> Iterator[Part]:
    """Yields the parts of a traceback, the innermost first, since that is what people look at."""
    rest = list(reversed(frames))
    while rest:
        own = rest[0]["own"]
        length = next((number for number, frame in enumerate(rest) if frame["own"] != own), len(rest))
        yield Part(own, tuple(rest[:length]))
        rest = rest[length:]


PAGE = Page("error", "/projects/{project}/errors/{group}", load, tab="Errors")
