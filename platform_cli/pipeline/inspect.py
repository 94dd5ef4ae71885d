"""Inspects a server, which is loaded once, in a process of its own, and lists what it offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .model import Inspection

if TYPE_CHECKING:
    from ..api.inspection import Inspected

# An inspector takes the folder of a bundle's draft, and raises InspectError with the server's own reason.
Inspector = Callable[[Path], "Inspected"]


def inspect_draft(draft: Path, inspector: Inspector) -> Inspection:
    answer = inspector(draft)
    libraries = answer["libraries"]
    return Inspection(
        kind=answer["kind"],
        object=answer["object"],
        chosen=answer["chosen"],
        contract=answer["contract"],
        modules=tuple(answer["modules"]),
        packages=tuple((entry["package"], entry["seconds"]) for entry in answer["packages"]),
        seconds=answer["seconds"],
        untried=tuple(libraries["untried"]),
        gaps=tuple(libraries["gaps"]),
    )
