"""inspect: the server is loaded once, in a process of its own, and says what it offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from homeport_runtime.libraries.gaps import Gap
from homeport_runtime.libraries.tried import Untried

from .model import Inspection

# Takes the folder of a bundle's draft; raises InspectError with the server's own reason.
Inspector = Callable[[Path], dict[str, Any]]


def inspect_draft(draft: Path, inspector: Inspector) -> Inspection:
    answer = inspector(draft)
    # An older runtime says nothing of them.
    libraries = answer.get("libraries", {})
    return Inspection(
        kind=answer["kind"],
        object=answer["object"],
        # An older runtime does not say.
        chosen=answer.get("chosen", ""),
        contract=answer["contract"],
        modules=tuple(answer["modules"]),
        packages=tuple((entry["package"], entry["seconds"]) for entry in answer["packages"]),
        seconds=answer["seconds"],
        untried=tuple(Untried(**each) for each in libraries.get("untried", ())),
        gaps=tuple(Gap(**each) for each in libraries.get("gaps", ())),
    )
