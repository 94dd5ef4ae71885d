"""Defines what a finding is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Is something worth knowing about a deploy.

    `kind` is its name for programs. `text` says in one line what was found, `hint` what to do if that is not wanted.
    Neither contains the value of a variable.
    """

    kind: str
    text: str
    hint: str
