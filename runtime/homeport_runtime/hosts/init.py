"""The first process of a PID namespace (pid_namespaces(7)): whatever is started in it ends with it.

A worker cannot be that process itself: signals that it sends itself, or that its programs send it, would do nothing,
and it would have to collect every orphan. So it is the child of a process that does nothing else, which is the child of
one outside: that one ends as the worker has ended, for whoever waits for it.
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

from .linux import die_with_parent, set_undumpable
from .whereabouts import WHERE

# Seconds that a worker has to end when nobody holds the other end of its lifeline any more. What it is told then
# takes less (http_server.ORPHAN_DRAIN_S).
ORPHAN_S = 10.0
# What a shell says of a program that a signal has ended: 128 and its number.
BY_SIGNAL = 128
# What the platform tells a worker by signals: to continue, and to say where it is.
FORWARDED = (signal.SIGCONT, WHERE)
LAST_NUMBER = "/proc/sys/kernel/ns_last_pid"

# What a fork has from its zygote (keep_numbering).
_numbering: int | None = None


def keep_numbering() -> None:
    """A fork of this process can say which number the next process has, also when /proc is read-only by then."""
    global _numbering  # noqa: PLW0603 - what all forks of this process have
    with contextlib.suppress(OSError):
        _numbering = os.open(LAST_NUMBER, os.O_WRONLY | os.O_CLOEXEC)


def go_on_inside(furnish: Callable[[], None]) -> socket.socket:
    """Returns in a process of the PID namespace that was unshared, when its first one has called `furnish`.

    Its number there is this process's own outside: what is logged of a worker is what it sees itself. All of them end
    when this process ends. So they do when nobody holds the other end any more of the socket that is sent over the
    one that this returns. Raises OSError of `furnish`.
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
        set_undumpable()
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
    """To the next process. Where that cannot be said, it has the next number that is free."""
    with contextlib.suppress(OSError):
        descriptor = os.open(LAST_NUMBER, os.O_WRONLY) if _numbering is None else _numbering
        # Its position is that of the forks before, too.
        os.pwrite(descriptor, str(number - 1).encode(), 0)
        os.close(descriptor)


def _end_as(child: int) -> NoReturn:
    """Outside: ends when `child` does, and as it did."""
    _close_all_but()
    _forward(child)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    number = -code if code < 0 else code - BY_SIGNAL
    if number > 0:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
    os._exit(code & 0xFF)


def _stay(worker: int, told: socket.socket) -> NoReturn:
    """As the first process: collects what has ended, until `worker` has. It is `told` its lifeline, if it has one."""
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
        _collect(worker)
        left = deadline - time.monotonic()
        for descriptor, _ in poll.poll(None if left == float("inf") else left * 1000):
            if descriptor == ended:
                with contextlib.suppress(BlockingIOError):
                    os.read(ended, 4096)
                continue
            poll.unregister(descriptor)
            if descriptor == told.fileno():
                for lifeline in socket.recv_fds(told, 1, 1)[1]:
                    # Not what is said on it: that is the worker's to read.
                    poll.register(lifeline, select.POLLRDHUP)
            else:
                deadline = time.monotonic() + ORPHAN_S
    os._exit(1)


def _collect(worker: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == worker:
                code = os.waitstatus_to_exitcode(status)
                # What is left in the namespace ends with this process.
                os._exit(code if code >= 0 else BY_SIGNAL - code)
            if child == 0:
                return


def _forward(child: int) -> None:
    for number in FORWARDED:
        signal.signal(number, lambda number, _frame: os.kill(child, number))


def _close_all_but(*kept: int | None) -> None:
    """Of the descriptors beyond standard error: sockets and pipes are the worker's."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in kept:
            with contextlib.suppress(OSError):
                os.close(descriptor)
