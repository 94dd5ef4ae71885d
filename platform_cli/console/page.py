"""Defines a page of the console: what it is called, what it is loaded from, and how it is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .source import Source


@dataclass(frozen=True, slots=True)
class Asked:
    """Is what a browser asks of a page: the parts of its path, and the query.

    `session` is the name of its key, and `now` the time in seconds since 1970.
    """

    source: Source
    path: Mapping[str, str]
    query: Mapping[str, str]
    now: float
    session: str

    @property
    def project(self) -> str:
        return self.path["project"]


@dataclass(frozen=True, slots=True)
class Page:
    """Is a page at `path` below /console, such as `/projects/{project}/calls`.

    `load` returns what the template `name`.html is rendered with. `tab` is what it is called among the pages of a
    project, None for one that is not among them.
    """

    name: str
    path: str
    load: Callable[[Asked], Awaitable[Mapping[str, object]]]
    tab: str | None = None
