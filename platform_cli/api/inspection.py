"""What a server said of itself when it was loaded once, before it serves anybody."""

from __future__ import annotations

from typing import Any

from .shape import Shape


class SlowPackage(Shape):
    """A package and the seconds that its import took."""

    package: str
    seconds: float


class UntriedLibrary(Shape):
    """A library of the server that is newer than what homeport was tried with."""

    library: str
    version: str


class LibraryGap(Shape):
    """A `part` of a library that homeport looked for in vain, and what that means (`effect`)."""

    library: str
    part: str
    effect: str


class Libraries(Shape):
    """What a deploy is told of the libraries that the server is built with."""

    untried: list[UntriedLibrary]
    gaps: list[LibraryGap]


class Inspected(Shape):
    """The server's `kind`, the name of its `object` (None where it was taken from what its program runs), and in words
    why it is what is served (`chosen`).

    `contract` is what it offers, in MCP's own words; None for an app without MCP. `modules` were loaded in the end,
    `packages` are the slowest of all imports, which took `seconds`. `discovery` is what it tells every client alike,
    None unless that was asked for.
    """

    kind: str
    object: str | None
    chosen: str
    contract: dict[str, Any] | None
    modules: list[str]
    packages: list[SlowPackage]
    seconds: float
    discovery: dict[str, Any] | None
    libraries: Libraries
