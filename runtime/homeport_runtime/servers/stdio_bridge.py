"""A plain MCP stdio program, in any language, served over HTTP: one child per process, shared by all clients."""

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
    """`http` answers /mcp (protocols 2024-11-05 to 2025-11-25), `sse` answers /sse and /messages/. `sessions` gives
    each client a session, and a stream for what the program says of its own accord; the program is one in either case,
    so clients share what it remembers.
    """

    kind: str

    def __init__(self, program: StdioProgram, *, sessions: bool) -> None:
        self._program = program
        self.http: ASGIApp = StdioHTTP(program, sessions=sessions)
        self.stateless: ASGIApp | None = StdioHTTP(program, sessions=False)
        self.sse: ASGIApp | None = StdioSSE(program)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Starts the program and shakes hands with it; ends it afterwards. Raises ServerError if it cannot be used."""
        try:
            await self._program.start()
            yield
        finally:
            await self._program.end()

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """The program answers for itself."""


class StdioBridge(Bridge):
    """`command` is run in `cwd`, with `environment` added to this process's own."""

    kind = "stdio"

    def __init__(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str], *, sessions: bool) -> None:
        start = partial(start_child, command, cwd, {**os.environ, **environment})
        super().__init__(StdioProgram(start, f"`{shlex.join(command)}`"), sessions=sessions)
