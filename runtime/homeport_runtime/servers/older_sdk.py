"""Serves SDKs from before streamable HTTP (mcp before 1.8, fastmcp before 2.3.2), bridged like a stdio program.

The server runs in this process, over a pair of memory streams in the place of stdio.
"""

from __future__ import annotations

import asyncio
import math
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from ..errors import ServerError
from ..libraries.mcp import has_auth, has_streamable_http, lowlevel_of, session_message
from ..protocol.jsonrpc import INVALID_REQUEST, RPC, error, is_request_id
from .base import ServeOptions, class_names
from .exits import contain_exits
from .stdio_bridge import Bridge
from .stdio_program import StdioProgram
from .tool_errors import log_tool_errors

# The classes, with their modules in older releases.
FASTMCP = ("fastmcp.server.server.FastMCP", "fastmcp.server.FastMCP")
MCP_FASTMCP = "mcp.server.fastmcp.server.FastMCP"
LOWLEVEL = ("mcp.server.lowlevel.server.Server", "mcp.server.Server")
REMEMBERED_LINES = 20


class OlderServer(Bridge):
    kind = "older-sdk"

    @classmethod
    def infer(cls, candidate: object) -> bool:
        names = class_names(candidate)
        if any(name in names for name in FASTMCP):
            return not hasattr(candidate, "http_app")
        return (MCP_FASTMCP in names or any(name in names for name in LOWLEVEL)) and not has_streamable_http()

    def __init__(self, server: Any, options: ServeOptions) -> None:
        _check_open(server)
        lowlevel = lowlevel_of(server)
        contain_exits(lowlevel)
        log_tool_errors(lowlevel)
        initialization = options.given.initialization or lowlevel.create_initialization_options()
        start = partial(start_object, lowlevel, initialization)
        super().__init__(StdioProgram(start, "the server"), sessions=options.sessions)


def _check_open(server: Any) -> None:
    """Raises ServerError for a server with auth, which its SDK checks in its own HTTP app, and so nobody would."""
    if has_auth(server):
        raise ServerError(
            "the server has auth, and its SDK is from before streamable HTTP, so that homeport cannot keep it",
            hint="require mcp>=1.9.4 or fastmcp>=2.5, which have both",
        )


class ObjectChild:
    """Is one run of a low-level server.

    `exited` resolves when its `run` has ended, to 0, or to 1 if it raised; `said` then holds the last lines of the
    traceback.
    """

    def __init__(self, server: Any, initialization: Any, on_message: Callable[[RPC], None]) -> None:
        # Imported late, since the server's own SDK brings these.
        import anyio
        from mcp import types

        make_stream: Any = anyio.create_memory_object_stream

        message_type: Any = types.JSONRPCMessage
        self._decode = message_type.model_validate
        self._on_message = on_message
        self.said: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._to_server, read = make_stream(math.inf)
        write, self._from_server = make_stream(math.inf)
        self._wrap = session_message()
        self._run = asyncio.ensure_future(self._serve(server, initialization, read, write))
        self._heard = asyncio.ensure_future(self._listen())
        self._run.add_done_callback(self._finish)

    async def _serve(self, server: Any, initialization: Any, read: Any, write: Any) -> None:
        async with read, write:
            await server.run(read, write, initialization)

    async def _listen(self) -> None:
        async with self._from_server:
            async for sent in self._from_server:
                message = sent if self._wrap is None else sent.message
                self._on_message(message.model_dump(by_alias=True, mode="json", exclude_none=True))

    def _finish(self, run: asyncio.Future[None]) -> None:
        self._heard.cancel()
        problem = None if run.cancelled() else run.exception()
        if problem is not None:
            report = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
            self.said.extend(report.splitlines())
        if not self.exited.done():
            self.exited.set_result(0 if problem is None else 1)

    def write(self, message: Mapping[str, object]) -> None:
        """Queues one message for the server; a message after its end is lost."""
        try:
            decoded = self._decode(message)
        except ValueError as problem:
            if is_request_id(message.get("id")):
                self._on_message(error(message["id"], INVALID_REQUEST, f"Invalid Request: {problem}"))
            return
        import anyio

        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._to_server.send_nowait(self._wrap(decoded) if self._wrap else decoded)

    async def end(self) -> None:
        """Ends the server by the end of its input, and cancels it if it continues."""
        await self._to_server.aclose()
        await asyncio.wait([self._run], timeout=1.0)
        self._run.cancel()
        await asyncio.gather(self._run, self._heard, return_exceptions=True)


async def start_object(server: Any, initialization: Any, on_message: Callable[[RPC], None]) -> ObjectChild:
    return ObjectChild(server, initialization, on_message)
