"""A plain stdio program with the layer's packages at hand."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .base import ServeOptions
from .stdio_bridge import StdioBridge

# `python` in a command means the interpreter that the layer was installed for.
PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")


def serve_command(command: Sequence[str], layer: Path, options: ServeOptions) -> StdioBridge:
    """The bridge to `command`, run in the current folder; programs and modules of the layer are found first."""
    program = sys.executable if command[0] in PYTHON_NAMES else command[0]
    modules = layer / "node_modules"
    if modules.is_dir():
        _link(modules, Path.cwd() / modules.name)
    programs = (str(layer / "bin"), str(modules / ".bin"), os.environ.get("PATH", os.defpath))
    environment = {
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": str(layer),
        "PYTHONUNBUFFERED": "1",
    }
    return StdioBridge((program, *command[1:]), Path.cwd(), environment, sessions=options.sessions)


def _link(modules: Path, name: Path) -> None:
    """Node looks for packages in the folder of a program and those above it, and nowhere else for ES modules:
    https://nodejs.org/api/esm.html#no-node_path. A folder that the project has there already is its own.
    """
    if name.exists() and not name.is_symlink():
        return
    temporary = name.with_name(f".{name.name}.{os.getpid()}")
    temporary.symlink_to(modules)
    temporary.replace(name)
