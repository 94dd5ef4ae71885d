"""Implements a zygote: one process per layer that has imported what servers import, and from which workers are forked.

It imports library modules only, never the user's own; environment, secrets and sockets reach a worker after the fork.
It reports the variables that modules read: a server that sets one of them needs a zygote that has it. When it forks it
has a single thread, so a fork copies the whole process. It reports a library that starts threads on import and keeps
them, which is then left to the workers.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import site
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..loading.import_profile import PROFILE
from ..takeover.transports import install as install_takeover
from .environment_reads import EnvironmentReads
from .forkable import Blocked, LeftOut, ThreadWatch, lasting_threads
from .huge_pages import use_huge_pages
from .orders import receive_order, send_order
from .rehearsal import rehearse
from .seccomp import confine_calls

if TYPE_CHECKING:
    from .confinement import EmptyRoom

# The seconds without an order after which a zygote moves its memory into huge pages.
QUIET_S = 1.0
# The seconds before it preforks the worker for the next order: a deploy needs two soon after each other.
PREFORK_S = 0.01
# This module is left out, too, if an SDK starts threads that stay.
REHEARSAL = "homeport_runtime.hosts.rehearsal"
# The modules that every worker needs to serve; an inspection does not, and so does not report them.
SERVING_MODULES = (
    "homeport_runtime.guard.audit",
    "homeport_runtime.guard.judge",
    "homeport_runtime.guard.operations",
    "homeport_runtime.guard.sign_in",
    "homeport_runtime.hosts.confinement",
    "homeport_runtime.hosts.http_server",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.websockets.auto",
)


@dataclass(frozen=True)
class Preforked:
    """Is a worker that waits for its order on a socket."""

    pid: int
    orders: socket.socket


class Zygote:
    """Carries out one order from `orders` at a time, and reports the result on `answers`.

    An order is to load modules, or to fork a worker with the descriptors that are sent along. With `in_room` workers
    have rooms, and one is preforked in an empty room for the next order.
    """

    def __init__(self, orders: socket.socket, answers: socket.socket, *, in_room: bool) -> None:
        self._orders = orders
        self._answers = answers
        self.has_rehearsed = False
        self._reads = EnvironmentReads()
        # Whether there is memory that is not in huge pages yet, which takes longer than a deploy should wait.
        self._scattered = False
        # Whether workers are preforked, and the one that waits.
        self._preforks = False
        self._preforked: Preforked | None = None
        self._in_room = in_room
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        gc.disable()
        confine_calls()
        install_takeover()
        while True:
            ready, _, _ = select.select([self._orders, self._woken], [], [], self._patience)
            if not ready:
                self._settle()
            if self._woken in ready:
                self._reap()
            if self._orders in ready:
                order, descriptors = receive_order(self._orders)
                if order is None:
                    return
                self._obey(order, descriptors)

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        if order["do"] == "load":
            self._load(order)
        else:
            self._fork(order, descriptors)

    @property
    def _patience(self) -> float | None:
        """Returns the seconds until it does something without an order, None if there is nothing to do."""
        if self._scattered:
            return QUIET_S
        return PREFORK_S if self._preforks and self._preforked is None else None

    def _settle(self) -> None:
        if self._scattered:
            use_huge_pages()
            self._scattered = False
        else:
            self._prefork()

    def _prefork(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            # There is no memory, or too many processes; the next order to fork will report it.
            ours.close()
            theirs.close()
            self._preforks = False
            return
        if pid == 0:
            ours.close()
            _become_preforked(self, theirs)
        theirs.close()
        self._preforked = Preforked(pid, ours)
        self._answer(event="preforked", pid=pid)

    def _answer(self, **message: Any) -> None:
        with contextlib.suppress(OSError):
            self._answers.sendall(json.dumps(message).encode() + b"\n")

    def _load(self, order: dict[str, Any]) -> None:
        self._end_preforked()
        if order["layer"] not in sys.path:
            site.addsitedir(order["layer"])
        watch = ThreadWatch()
        with Blocked(order["skip"]), PROFILE.measure(), watch.watching(), self._reads.watching():
            for name in (*SERVING_MODULES, *order["modules"]):
                _import(name)
            if not self.has_rehearsed and REHEARSAL not in order["skip"]:
                with contextlib.suppress(Exception, LeftOut):
                    self.has_rehearsed = rehearse()
        gc.collect()
        gc.freeze()
        self._scattered = True
        lasting = lasting_threads()
        self._preforks = self._in_room and lasting == 1
        offender = watch.offender or (REHEARSAL if lasting > 1 else None)
        self._answer(
            event="loaded",
            modules=len(sys.modules),
            threads=lasting,
            offender=offender,
            names=sorted(self._reads.names),
            packages=sorted(self._reads.packages),
        )

    def _fork(self, order: dict[str, Any], descriptors: list[int]) -> None:
        pid = self._give_to_preforked(order, descriptors) or os.fork()
        if pid == 0:
            _leave_zygote(self)
            _become_worker(order, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self._report_fork(pid)

    def _report_fork(self, pid: int) -> None:
        self._answer(event="forked", pid=pid)

    def _give_to_preforked(self, order: dict[str, Any], descriptors: list[int]) -> int | None:
        """Passes the order to the preforked worker and returns its process id; None if there is none."""
        preforked, self._preforked = self._preforked, None
        if preforked is None:
            return None
        with preforked.orders, contextlib.suppress(OSError):
            send_order(preforked.orders, order, descriptors)
            return preforked.pid
        return None

    def _end_preforked(self) -> None:
        """Ends the preforked worker, which lacks the modules that are loaded now."""
        if self._preforked is not None:
            self._preforked.orders.close()
            self._preforked = None

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if self._preforked is not None and pid == self._preforked.pid:
                    # The next one would fail, too.
                    self._preforks = False
                    self._end_preforked()
                self._report_end(pid, os.waitstatus_to_exitcode(status))

    def _report_end(self, pid: int, code: int) -> None:
        self._answer(event="exited", pid=pid, code=code)

    def close(self) -> None:
        """Closes the zygote's own descriptors in a child."""
        signal.set_wakeup_fd(-1)
        for end in (self._orders, self._answers, self._woken, self._wake):
            end.close()
        if self._preforked is not None:
            self._preforked.orders.close()


def _leave_zygote(zygote: Zygote) -> None:
    os.setsid()
    zygote.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _become_preforked(zygote: Zygote, orders: socket.socket) -> NoReturn:
    """Does what is the same for all workers, and waits for the order that says which one it is."""
    from .confinement import enter_empty_room

    try:
        _leave_zygote(zygote)
        empty_room = enter_empty_room()
        if zygote.has_rehearsed and not select.select([orders], [], [], 0)[0]:
            _own_pages()
        order, descriptors = receive_order(orders)
        orders.close()
        if order is not None:
            _become_worker(order, descriptors, empty_room)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _own_pages() -> None:
    """Serves once more in a fork, which then has pages of its own where serving writes to memory.

    Copying them one by one takes a third of a worker's start.
    """
    with contextlib.suppress(Exception):
        rehearse()
    gc.collect()
    gc.freeze()


def _become_worker(order: dict[str, Any], descriptors: Sequence[int], empty_room: EmptyRoom | None = None) -> NoReturn:
    """Runs a worker in this process.

    `descriptors` are the control channel, standard output, standard error, the sockets to serve, mounts for the paths
    `trees` of the order, which this process cannot see, and the namespace of its `user`, if it gets one.
    """
    try:
        control, out, err, *rest = descriptors
        namespace = rest.pop() if order.get("user") is not None else None
        paths = list(map(Path, order.get("trees", ())))
        first = len(rest) - len(paths)
        sockets, trees = rest[:first], dict(zip(paths, rest[first:], strict=True))
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        gc.enable()
        if "numpy.random" in sys.modules:
            # numpy's generator was seeded when it was imported, for all workers alike; the standard library's is seeded
            # by the fork.
            sys.modules["numpy.random"].seed()
        from .worker import main

        opened = [socket.socket(fileno=descriptor) for descriptor in sockets]
        main(socket.socket(fileno=control), opened, trees, empty_room, namespace)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _import(name: str) -> None:
    """Imports a module, or a module of which the last part of `name` is an attribute, which may import more."""
    with contextlib.suppress(Exception, LeftOut):
        try:
            importlib.import_module(name)
        except ImportError:
            parent, _, attribute = name.rpartition(".")
            if parent:
                getattr(importlib.import_module(parent), attribute)
