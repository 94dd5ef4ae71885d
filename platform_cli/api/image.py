"""Defines what `homeport image` prints with --json."""

from __future__ import annotations

from typing import Literal, TypedDict

from .plan import TimedStage


class ImageReport(TypedDict):
    """Reports on an image: the digest of its manifest, the reference of its base, and the `bytes` of all its layers.

    `path` is the folder that it was written to, `reference` where it was pushed to, by its digest; each is None if that
    was not asked for. `sent_bytes` is what the registry did not have. `bill` is the digest under which the registry has
    the bill of materials of its packages, None if it takes none, or has no image.
    """

    ok: Literal[True]
    project: str
    digest: str
    base: str
    bytes: int
    path: str | None
    reference: str | None
    sent_bytes: int
    bill: str | None
    stages: list[TimedStage]
