"""Implements the first process of a PID namespace (pid_namespaces(7)), with which everything in the namespace ends.

A worker cannot be that process itself: signals from itself or its programs would do nothing, and it would have to reap
every orphan. So the worker is its child, and its own parent is a process outside, which ends as the worker has ended,
for whoever waits for it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .linux import die_with_parent, set_dumpable
from .whereabouts import WHERE

# The seconds that a worker has to end once the other end of its lifeline is closed. It is told to drain then, which
# takes less (http_server.ORPHAN_DRAIN_S).
ORPHAN_S = 10.0
# A shell reports a program that a signal has ended with 128 and the signal's number.
BY_SIGNAL = 128
# The signals that the platform sends a worker: to continue, and to say where it is.
FORWARDED = (signal.SIGCONT, WHERE)
LAST_NUMBER = "/proc/sys/kernel/ns_last_pid"

# Set in a zygote by keep_numbering, and inherited by its forks.
_numbering: int | None = None


def keep_numbering() -> None:
    """Lets forks of this process choose the number of their next process, even if /proc is read-only by then."""
    global _numbering  # noqa: PLW0603 - what all forks of this process have
    with contextlib.suppress(OSError):
        _numbering = os.open(LAST_NUMBER, os.O_WRONLY | os.O_CLOEXEC)


def go_on_inside(furnish: Callable[[], None]) -> socket.socket:
    """Returns in a process of the PID namespace that was unshared, after its first process has called `furnish`.

    Its number there is this process's number outside, so that logs show the number that the worker itself sees. All
    processes inside end when this process ends. They also end when the other end is closed of a socket that is sent
    over the socket which this returns. Raises the OSError of `furnish`.
    """
    number = os.getpid()
    failed, fail = os.pipe()
    told, tell = socket.socketpair()
    first = os.fork()
    if first:
        os.close(fail)
        with os.fdopen(failed) as reasons:
            reason = reasons.read()
        if reason:
            os.waitpid(first, 0)
            raise OSError(reason)
        _end_as(first)
    os.close(failed)
    try:
        die_with_parent(signal.SIGKILL)
        set_dumpable(allowed=False)
        _give_next(number)
        furnish()
        worker = os.fork()
    except OSError as error:
        os.write(fail, str(error).encode())
        os._exit(1)
    os.close(fail)
    if worker:
        _stay(worker, told)
    os.setsid()
    told.close()
    return tell


def _give_next(number: int) -> None:
    """Chooses the number of the next process; where that is not possible, it gets the next free one."""
    with contextlib.suppress(OSError):
        descriptor = os.open(LAST_NUMBER, os.O_WRONLY) if _numbering is None else _numbering
        # The position in the file is shared with the forks before.
        os.pwrite(descriptor, str(number - 1).encode(), 0)
        os.close(descriptor)


def _end_as(child: int) -> NoReturn:
    """Waits, outside, for `child` and ends as it did."""
    _close_all_but()
    _forward(child)
    end_like(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def end_like(code: int) -> NoReturn:
    """Ends this process as one with this exit code, negative for a signal, has ended."""
    number = -code if code < 0 else code - BY_SIGNAL
    if number > 0:
        with contextlib.suppress(OSError, ValueError):
            # SIGKILL has no handler.
            with contextlib.suppress(OSError):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
    os._exit(code & 0xFF)


def _stay(worker: int, told: socket.socket) -> NoReturn:
    """Reaps processes, as the first one, until `worker` has ended; its lifeline may be sent over `told`."""
    ended, end = os.pipe()
    os.set_blocking(end, False)
    os.set_blocking(ended, False)
    _close_all_but(ended, end, told.fileno())
    _forward(worker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(told, select.POLLIN)
    deadline = float("inf")
    while time.monotonic() < deadline:
        if (code := reap(worker)) is not None:
            # What is left in the namespace ends with this process.
            os._exit(code)
        left = deadline - time.monotonic()
        for descriptor, _ in poll.poll(None if left == float("inf") else left * 1000):
            if descriptor == ended:
                with contextlib.suppress(BlockingIOError):
                    os.read(ended, 4096)
                continue
            poll.unregister(descriptor)
            if descriptor == told.fileno():
                for lifeline in socket.recv_fds(told, 1, 1)[1]:
                    # Messages on it are for the worker to read.
                    poll.register(lifeline, select.POLLRDHUP)
            else:
                deadline = time.monotonic() + ORPHAN_S
    os._exit(1)


def reap(awaited: int) -> int | None:
    """Reaps the children that have ended, and returns the exit code of the process `awaited` once it is one of them:
    for one that a signal has ended, 128 and the signal's number.
    """
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == awaited:
                code = os.waitstatus_to_exitcode(ended[1])
                return code if code >= 0 else BY_SIGNAL - code
    return None


def _forward(child: int) -> None:
    for number in FORWARDED:
        signal.signal(number, lambda number, _frame: os.kill(child, number))


def _close_all_but(*kept: int | None) -> None:
    """Closes the descriptors beyond standard error, since sockets and pipes belong to the worker."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in kept:
            with contextlib.suppress(OSError):
                os.close(descriptor)
