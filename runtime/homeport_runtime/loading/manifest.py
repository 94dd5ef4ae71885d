"""manifest.json: what a bundle says about itself to the runtime that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
# What a Manifest is read from. The rest (contract, modules, files) can be a hundred times as long.
KEYS = (
    "format", "entrypoint", "program", "args", "roots", "command", "server", "origins", "sessions", "start_timeout_s",
    "memory_mb",
)  # fmt: skip
FILE_NAME = "manifest.json"
APP_FOLDER = "app"


@dataclass(frozen=True)
class Program:
    """A Python program: `python file` (relative to the app folder), or without a file `python -m module`, or with
    `function` the console script `module:function`. `name` is what the person calls it, `args` are its arguments.
    """

    file: str | None
    module: str
    function: str | None
    name: str
    args: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """The part of manifest.json that the runtime reads. Exactly one of `program` and `command` is set.

    With `object` the program's file is not run but imported, for the server of that name. `roots` are the folders of
    the app from which its packages are imported. `bridged` says that the program serves over stdio alone, as inspected.
    `origins` are foreign Origins that may call. `start_timeout_s` bounds loading and warming up; `memory_mb` what the
    process may allocate.
    """

    program: Program | None
    object: str | None
    roots: tuple[str, ...]
    command: tuple[str, ...] | None
    bridged: bool
    origins: tuple[str, ...]
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
            program=_program(data),
            object=entrypoint.get("object"),
            roots=tuple(data.get("roots", ())),
            command=tuple(data["command"]) if data["command"] else None,
            bridged=(data.get("server") or {}).get("kind") == "stdio",
            origins=tuple(data.get("origins", ())),
            sessions=data["sessions"],
            start_timeout_s=data["start_timeout_s"],
            memory_mb=data["memory_mb"],
        )


def _program(data: Mapping[str, Any]) -> Program | None:
    args = tuple(data.get("args", ()))
    if data["entrypoint"]:
        file = data["entrypoint"]["file"]
        return Program(file, "", None, file, args)
    # Releases that were made by an earlier homeport have no programs.
    program = data.get("program")
    if not program:
        return None
    name = program["name"] or f"python -m {program['module']}"
    return Program(None, program["module"], program["function"], name, args)
