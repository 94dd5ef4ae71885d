"""Keeps how a home keeps its servers apart, for every process that starts code of others: the platform and builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .home import Home, write_atomic

if TYPE_CHECKING:
    from .api.platform import Isolate

# As what runs by hand: the developer's own user.
DEFAULT: Isolate = "namespaces"


def isolation(home: Home) -> Isolate:
    return chosen_isolation(home) or DEFAULT


def chosen_isolation(home: Home) -> Isolate | None:
    """Returns what was chosen, None if nothing was."""
    try:
        text = home.isolation.read_text()
    except FileNotFoundError:
        return None
    match text:
        case "users" | "container":
            return text
    return "namespaces"


def choose_isolation(home: Home, isolate: Isolate) -> None:
    write_atomic(home.isolation, isolate.encode())
