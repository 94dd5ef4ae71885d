"""Serves a plain stdio program, which it starts as the server's own process would."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from .base import ServeOptions
from .stdio_bridge import StdioBridge

# Names that mean the interpreter for which the layer was installed.
PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")
# These run Python programs in environments of their own, which must not see the layer's packages.
ENVIRONMENT_MANAGERS = ("uv", "uvx", "pipx", "poetry", "pdm", "hatch", "pixi", "conda")


def serve_command(command: Sequence[str], layer: Path, options: ServeOptions) -> StdioBridge:
    """Returns the bridge to `command`, run in the current folder with this process's variables."""
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
    """Links node_modules into the working folder, unless the project has its own there.

    Node looks for packages of ES modules only in the folder of a program and those above it:
    https://nodejs.org/api/esm.html#no-node_path.
    """
    if name.exists() and not name.is_symlink():
        return
    temporary = name.with_name(f".{name.name}.{os.getpid()}")
    temporary.symlink_to(modules)
    temporary.replace(name)
