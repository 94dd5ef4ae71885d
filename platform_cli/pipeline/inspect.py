"""inspect: the server is loaded once, in a process of its own, and says what it offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .model import Inspection

if TYPE_CHECKING:
    from ..api.inspection import Inspected

# Takes the folder of a bundle's draft; raises InspectError with the server's own reason.
Inspector = Callable[[Path], "Inspected"]


def inspect_draft(draft: Path, inspector: Inspector) -> Inspection:
    answer = inspector(draft)
    return Inspection(
        kind=answer["kind"],
        object=answer["object"],
        chosen=answer["chosen"],
        contract=answer["contract"],
        modules=tuple(answer["modules"]),
        packages=tuple((entry["package"], entry["seconds"]) for entry in answer["packages"]),
        seconds=answer["seconds"],
    )
