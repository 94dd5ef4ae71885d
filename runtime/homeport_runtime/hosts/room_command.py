"""Runs a program in a room of its own, for builds, and ends it when it takes what others need."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import linux
from .cgroups import Group, Groups
from .confinement import Room, enter
from .init import end_like
from .limits import limit_build
from .seccomp import confine_calls
from .users import give_to

BOOT = "import sys; sys.path.append(sys.argv.pop(1)); from homeport_runtime.hosts.room_command import main; main()"
# The exit codes of env(1) and timeout(1) for their own failure, and for a program that cannot be started.
NO_ROOM, NO_PROGRAM = 125, 127
# The seconds between two looks at the disk, and the bytes that a build must leave free, or half of what was free.
LOOK_S = 0.2
LEFT_FREE = 1024 * 1024 * 1024


def command_in(room: Room, command: Sequence[str], memory_mb: int) -> list[str]:
    """Returns the command that runs `command` in `room`, with up to `memory_mb` of memory for each process, and for all
    together where they can be counted.

    It ends as `command` does, or with 125 and the reason on standard error if the kernel does not allow a room. It is
    killed, with the reason there, if it fills the disk or uses too much memory.
    """
    runtime = str(Path(__file__).parents[2])
    return [sys.executable, "-I", "-S", "-c", BOOT, runtime, room.to_json(), str(memory_mb), *command]


def main() -> NoReturn:
    _, text, memory_mb, *command = sys.argv
    room = Room.from_json(text)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    if room.user is not None:
        _give(room, room.user)
    grouped, go = os.pipe()
    program = os.fork()
    if program == 0:
        os.close(go)
        os.read(grouped, 1)
        _run(room, int(memory_mb), command)
    groups = Groups.find(room.hidden[0], os.getpid())
    group = groups.group(program)
    _limit(group, program, int(memory_mb))
    os.close(go)
    try:
        filled = _watch(room, program)
        code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        if filled:
            sys.stderr.write(f"error: {command[0]} was ended, since it left too little of the disk at {filled}\n")
        elif code != 0 and group.lacked_memory():
            sys.stderr.write(f"error: {command[0]} and what it started used more than {memory_mb} MB of memory\n")
    finally:
        group.end()
        groups.close()
        if room.user is not None:
            _give(room, os.getuid())
    end_like(code)


def _give(room: Room, user: int) -> None:
    for folder in room.writable:
        give_to(user, user, folder)


def _limit(group: Group, program: int, memory_mb: int) -> None:
    # What the system does not allow is not limited.
    with contextlib.suppress(OSError):
        group.add(program)
        group.limit(memory_mb)


def _run(room: Room, memory_mb: int, command: list[str]) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    limit_build(memory_mb)
    linux.die_with_parent(signal.SIGKILL)
    try:
        enter(room)
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be confined: {error}\n")
        os._exit(NO_ROOM)
    confine_calls()
    if room.home is not None:
        os.environ["HOME"] = str(room.home)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the caller's own words
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        os._exit(NO_PROGRAM)


def _watch(room: Room, program: int) -> Path | None:
    """Returns when the program ends, and the folder if it was killed because it filled the disk there."""
    # The program may remove its folders.
    opened = {folder: os.open(folder, os.O_PATH) for folder in room.writable if folder.is_dir()}
    least = {folder: min(LEFT_FREE, _free(descriptor) // 2) for folder, descriptor in opened.items()}
    while signal.sigtimedwait({signal.SIGCHLD}, LOOK_S) is None:
        for folder, descriptor in opened.items():
            if _free(descriptor) < least[folder]:
                os.kill(program, signal.SIGKILL)
                return folder
    return None


def _free(descriptor: int) -> int:
    """Returns the bytes that are free where a folder is."""
    found = os.fstatvfs(descriptor)
    return found.f_bavail * found.f_frsize
