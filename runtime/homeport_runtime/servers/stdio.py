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
    environment = {
        "PATH": f"{layer / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(layer),
        "PYTHONUNBUFFERED": "1",
    }
    return StdioBridge((program, *command[1:]), Path.cwd(), environment, sessions=options.sessions)
