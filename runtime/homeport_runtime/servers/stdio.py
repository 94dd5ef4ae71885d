"""A plain stdio program, run as the server's own process would start it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from .base import ServeOptions
from .stdio_bridge import StdioBridge

# `python` in a command means the interpreter that the layer was installed for.
PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")
# These run Python programs in environments of their own, with which the layer's packages must not be mixed.
ENVIRONMENT_MANAGERS = ("uv", "uvx", "pipx", "poetry", "pdm", "hatch", "pixi", "conda")


def serve_command(command: Sequence[str], layer: Path, options: ServeOptions) -> StdioBridge:
    """The bridge to `command`, run in the current folder with this process's variables."""
    program = sys.executable if command[0] in PYTHON_NAMES else command[0]
    modules = layer / "node_modules"
    environment = {}
    if modules.is_dir():
        _link(modules, Path.cwd() / modules.name)
        environment["PATH"] = os.pathsep.join((str(modules / ".bin"), os.environ.get("PATH", os.defpath)))
    if PurePath(program).name in ENVIRONMENT_MANAGERS:
        entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry != str(layer))
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
