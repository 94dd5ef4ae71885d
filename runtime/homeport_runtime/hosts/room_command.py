"""Runs a program in a room of its own, for builds."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import linux
from .confinement import Room, enter
from .limits import limit_process
from .seccomp import confine_calls

BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from homeport_runtime.hosts.room_command import main; main()"
# The exit codes of env(1) and timeout(1) for their own failure, and for a program that cannot be started.
NO_ROOM, NO_PROGRAM = 125, 127


def command_in(room: Room, command: Sequence[str], memory_mb: int) -> list[str]:
    """Returns the command that runs `command` in `room`, with up to `memory_mb` of memory for each process.

    It ends as `command` does, or with 125 and the reason on standard error if the kernel does not allow a room.
    """
    runtime = str(Path(__file__).parents[2])
    return [sys.executable, "-I", "-S", "-c", BOOT, runtime, room.to_json(), str(memory_mb), *command]


def main() -> NoReturn:
    _, room, memory_mb, *command = sys.argv
    limit_process(int(memory_mb))
    linux.die_with_parent(signal.SIGKILL)
    try:
        enter(Room.from_json(room))
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be confined: {error}\n")
        os._exit(NO_ROOM)
    confine_calls()
    try:
        os.execvp(command[0], command)  # noqa: S606 - the caller's own words
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        os._exit(NO_PROGRAM)
