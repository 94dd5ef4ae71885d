"""manifest.json: what a bundle says about itself to the runtime that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
# What a Manifest is read from. The rest (contract, modules, files) can be a hundred times as long.
KEYS = ("format", "entrypoint", "command", "sessions", "start_timeout_s", "memory_mb")
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

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Manifest:
        """Raises ValueError for a manifest of another format."""
        if data["format"] != FORMAT:
            raise ValueError(f"the manifest has format {data['format']}, this runtime reads {FORMAT}")
        entrypoint = data["entrypoint"] or {}
        return cls(
            file=entrypoint.get("file"),
            object=entrypoint.get("object"),
            command=tuple(data["command"]) if data["command"] else None,
            sessions=data["sessions"],
            start_timeout_s=data["start_timeout_s"],
            memory_mb=data["memory_mb"],
        )
