"""Reads manifest.json, which describes a bundle to the runtime that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
# The keys that a Manifest is read from; the others (contract, modules, files) can be a hundred times as long.
KEYS = (
    "format", "entrypoint", "program", "args", "roots", "command", "server", "origins", "sessions", "start_timeout_s",
    "memory_mb", "scopes", "limits",
)  # fmt: skip
FILE_NAME = "manifest.json"
APP_FOLDER = "app"


@dataclass(frozen=True)
class Program:
    """Is a Python program: `python file`, or without a file `python -m module` or, with `function`, a console script.

    `file` is relative to the app folder. The console script is `module:function`. `name` is what the person calls the
    program, `args` are its arguments.
    """

    file: str | None
    module: str
    function: str | None
    name: str
    args: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """Holds the part of manifest.json that the runtime reads; exactly one of `program` and `command` is set.

    With `object` the program's file is imported instead of run, for the server of that name. `roots` are the folders of
    the app from which its packages are imported. `bridged` means that the inspection found a program that serves only
    over stdio. `origins` are foreign Origins that may call. `start_timeout_s` limits loading and warming up,
    `memory_mb` what the process may allocate. `scopes` and `limits` are what guard.judge reads, None without them.
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
    scopes: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Manifest:
        """Returns the manifest in `data`.

        Raises ValueError for a manifest of another format.
        """
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
            scopes=data.get("scopes"),
            limits=data.get("limits"),
        )


def _program(data: Mapping[str, Any]) -> Program | None:
    args = tuple(data.get("args", ()))
    if data["entrypoint"]:
        file = data["entrypoint"]["file"]
        return Program(file, "", None, file, args)
    # Releases of earlier versions have no programs.
    program = data.get("program")
    if not program:
        return None
    name = program["name"] or f"python -m {program['module']}"
    return Program(None, program["module"], program["function"], name, args)
