"""manifest.json: what a bundle says about itself to the runtime that serves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
FILE_NAME = "manifest.json"
APP_FOLDER = "app"


@dataclass(frozen=True)
class Manifest:
    """The part of manifest.json that the runtime reads. Exactly one of `file` and `command` is set.

    `file` is relative to the app folder, `object` its server's name there or None to search. `start_timeout_s`
    bounds loading and warming up; `memory_mb` what the process may allocate.
    """

    file: str | None
    object: str | None
    command: tuple[str, ...] | None
    sessions: bool
    start_timeout_s: float
    memory_mb: int


def read_manifest(bundle: Path) -> Manifest:
    data: Mapping[str, Any] = json.loads((bundle / FILE_NAME).read_bytes())
    if data["format"] != FORMAT:
        raise ValueError(f"{bundle / FILE_NAME} has format {data['format']}, this runtime reads {FORMAT}")
    entrypoint = data["entrypoint"] or {}
    return Manifest(
        file=entrypoint.get("file"),
        object=entrypoint.get("object"),
        command=tuple(data["command"]) if data["command"] else None,
        sessions=data["sessions"],
        start_timeout_s=data["start_timeout_s"],
        memory_mb=data["memory_mb"],
    )
