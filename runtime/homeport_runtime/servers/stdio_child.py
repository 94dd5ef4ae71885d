"""Runs a stdio program once, in its own process group, and reads its two streams of lines."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shlex
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from ..errors import ServerError
from ..protocol.jsonrpc import RPC, encode
from ..telemetry import write_log

# The seconds for each step of ending the program: after its stdin is closed, after SIGTERM, after SIGKILL.
GRACE_S = 2.0
# The seconds for which output is read after the program itself has ended, since a grandchild may hold its stdout open
# for ever.
LAST_WORDS_S = 0.5
REMEMBERED_LINES = 20

STDOUT = 1

# From <linux/prctl.h>. The function is looked up before any fork, since a child must not load libraries before exec.
PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class Lines:
    """Splits a stream into lines of any length, and reads each byte once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        *ended, rest = data.split(b"\n")
        for line in ended:
            yield b"".join([*self._parts, line])
            self._parts.clear()
        if rest:
            self._parts.append(rest)


class StdioChild(asyncio.SubprocessProtocol):
    """Is a started program.

    `on_message` gets each JSON-RPC message that it writes. `exited` resolves to its exit code, negative for a signal,
    after all of its output was read. `said` holds the last lines of its stderr.
    """

    def __init__(self, on_message: Callable[[RPC], None]) -> None:
        self._on_message = on_message
        self._lines = {STDOUT: Lines(), 2: Lines()}
        self.said: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        for line in self._lines[fd].feed(data):
            text = line.strip()
            if fd == STDOUT and text:
                self._read(text)
            elif text:
                self._log(text.decode(errors="replace"))

    def _read(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and message.get("jsonrpc") == "2.0":
            self._on_message(message)
        else:
            self._log(f"[stdout, not a message] {line.decode(errors='replace')}")

    def _log(self, line: str) -> None:
        self.said.append(line)
        write_log(line)

    def process_exited(self) -> None:
        asyncio.get_running_loop().call_later(LAST_WORDS_S, self._finish)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.exited.done():
            self.exited.set_result(self._transport.get_returncode() or 0)
            # This ends processes that the program has started and not ended.
            self._signal(signal.SIGKILL)
            self._transport.close()

    def write(self, message: Mapping[str, object]) -> None:
        """Queues one message for the program; a message after its end is lost."""
        stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        if not stdin.is_closing():
            stdin.write(encode(message) + b"\n")

    async def end(self) -> None:
        """Closes its stdin, then sends SIGTERM, then SIGKILL to its process group (specification, stdio, Shutdown)."""
        stdin = self._transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            await asyncio.wait([self.exited], timeout=GRACE_S)
            if self.exited.done():
                return

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)


def _die_with_parent() -> None:
    """Lets Linux end the program with the worker that started it, even if that is killed and can end nothing itself."""
    if _PRCTL is not None:
        _PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


async def start_child(
    command: Sequence[str], cwd: Path, environment: Mapping[str, str], on_message: Callable[[RPC], None]
) -> StdioChild:
    """Starts the program in a process group of its own.

    Raises ServerError if it cannot be started.
    """
    shown = shlex.join(command)
    try:
        _, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: StdioChild(on_message),
            *command,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    except FileNotFoundError:
        if not cwd.is_dir():
            raise ServerError(f"the folder to run `{shown}` in does not exist: {cwd}") from None
        raise ServerError(
            f"`{shown}` cannot be started: there is no program called {command[0]}",
            hint="install it on the machine that runs the server, or correct `command` in fastmcp.toml",
        ) from None
    except PermissionError:
        raise ServerError(
            f"`{shown}` cannot be started: {command[0]} is not executable",
            hint=f"make it executable (chmod +x {command[0]}), or name its interpreter in `command`",
        ) from None
    except OSError as problem:
        raise ServerError(
            f"`{shown}` cannot be started: {problem.strerror}",
            hint="a script needs a first line such as #!/bin/sh, or its interpreter named in `command`",
        ) from None
    return child
