"""Defines what a server told of itself when it was loaded once, before it serves anybody."""

from __future__ import annotations

from typing import Any

from .shape import Shape


class SlowPackage(Shape):
    """Holds a package and the seconds that its import took."""

    package: str
    seconds: float


class UntriedLibrary(Shape):
    """Holds a library of the server that is newer than the versions that homeport was tried with."""

    library: str
    version: str


class LibraryGap(Shape):
    """Holds a `part` of a library that homeport looked for in vain, and what its lack means (`effect`)."""

    library: str
    part: str
    effect: str


class Libraries(Shape):
    """Holds what a deploy reports about the libraries of the server."""

    untried: list[UntriedLibrary]
    gaps: list[LibraryGap]


class Inspected(Shape):
    """Describes a server after its inspection: its `kind`, its `object`, and in words why it was `chosen`.

    `object` is the name of the object, None if it was taken from what the program runs. `contract` is what the server
    offers, in MCP's own words; None for an app without MCP. `modules` are all that were loaded, and `packages` the
    slowest of all imports, which took `seconds`. `discovery` holds the answers that are the same for every client, None
    unless they were asked for.
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
