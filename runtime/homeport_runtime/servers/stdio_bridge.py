"""Serves a plain MCP stdio program, in any language, over HTTP: one child per process, shared by all clients."""

from __future__ import annotations

import os
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ..asgi import ASGIApp
from .stdio_child import start_child
from .stdio_http import StdioHTTP
from .stdio_program import StdioProgram
from .stdio_sse import StdioSSE


class Bridge:
    """Serves a program: `http` answers /mcp (protocols 2024-11-05 to 2025-11-25), `sse` answers /sse and /messages/.

    `sessions` gives each client a session, and a stream for the program's notifications. There is one program in either
    case, so clients share its state.
    """

    kind: str

    def __init__(self, program: StdioProgram, *, sessions: bool) -> None:
        self._program = program
        self.http: ASGIApp = StdioHTTP(program, sessions=sessions)
        self.stateless: ASGIApp | None = StdioHTTP(program, sessions=False)
        self.sse: ASGIApp | None = StdioSSE(program)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Starts and initializes the program, and ends it afterwards.

        Raises ServerError if it cannot be started or initialized.
        """
        try:
            await self._program.start()
            yield
        finally:
            await self._program.end()

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Does nothing, since the program answers for its tools itself."""


class StdioBridge(Bridge):
    """Runs `command` in `cwd`, with `environment` added to this process's own."""

    kind = "stdio"

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], *, sessions: bool) -> None:
        start = partial(start_child, command, cwd, {**os.environ, **environment})
        super().__init__(StdioProgram(start, f"`{shlex.join(command)}`"), sessions=sessions)
