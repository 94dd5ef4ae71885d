"""A plain stdio program, served through the bridge."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from .base import ServeOptions
from .stdio_bridge import StdioBridge

# `python` in a command means the interpreter that the layer was installed for.
PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")


class StdioServer:
    kind = "stdio"
    speaks_modern = False

    def __init__(self, command: Sequence[str], layer: Path, options: ServeOptions) -> None:
        program = sys.executable if command[0] in PYTHON_NAMES else command[0]
        environment = {
            **os.environ,
            "PATH": f"{layer / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(layer),
            "PYTHONUNBUFFERED": "1",
        }
        bridge = StdioBridge((program, *command[1:]), Path.cwd(), environment, sessions=options.sessions)
        self._bridge = bridge
        self.http = bridge.http
        self.sse = bridge.sse

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        return self._bridge.lifespan()

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """This protocol era does not ask for schemas before a call."""
