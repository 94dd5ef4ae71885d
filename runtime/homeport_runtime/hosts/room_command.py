"""A program that runs in a room of its own: what a build starts, as a server's worker does."""

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
# As env(1) and timeout(1) end when they cannot do what they are there for, or cannot start the program.
NO_ROOM, NO_PROGRAM = 125, 127


def command_in(room: Room, command: Sequence[str], memory_mb: int) -> list[str]:
    """The words that run `command` in `room`, where none of its processes may take more than `memory_mb`.

    They end as it does; with 125, and the reason on standard error, where the kernel does not allow a room.
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
