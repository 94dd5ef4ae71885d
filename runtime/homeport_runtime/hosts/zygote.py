"""A zygote: one process per layer that has imported what servers import, and forks workers that need not.

It imports library modules only, never the user's own; environment, secrets and sockets reach a worker after the fork.
The variables that modules looked at are told: a server that sets one of them wants a zygote that has it. When it forks
it has a single thread, so a fork copies a whole process; a library that starts threads on import and keeps them makes
the zygote say so, and is then left to the workers.
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
from pathlib import Path
from typing import Any, NoReturn

from ..import_profile import PROFILE
from ..takeover.transports import install as install_takeover
from .environment_reads import EnvironmentReads
from .forkable import Blocked, LeftOut, ThreadWatch, lasting_threads
from .huge_pages import use_huge_pages
from .orders import receive_order
from .rehearsal import rehearse
from .seccomp import confine_calls

# Seconds without an order after which a zygote puts its own house in order.
QUIET_S = 1.0
# Left out like a module, where an SDK starts threads that stay.
REHEARSAL = "homeport_runtime.hosts.rehearsal"
# What every worker needs to serve; an inspection does not, and so does not report it.
SERVING_MODULES = (
    "homeport_runtime.hosts.confinement",
    "homeport_runtime.hosts.http_server",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.websockets.auto",
)


class Zygote:
    """Carries out one order at a time, which come from `orders`, and says on `answers` what has become of it: load
    modules, or fork a worker onto the descriptors sent along.
    """

    def __init__(self, orders: socket.socket, answers: socket.socket) -> None:
        self._orders = orders
        self._answers = answers
        self._rehearsed = False
        self._reads = EnvironmentReads()
        # Whether there is memory that is not yet in huge pages: that takes longer than a deploy should wait.
        self._scattered = False
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
            ready, _, _ = select.select([self._orders, self._woken], [], [], QUIET_S if self._scattered else None)
            if not ready:
                use_huge_pages()
                self._scattered = False
            if self._woken in ready:
                self._reap()
            if self._orders in ready:
                order, descriptors = receive_order(self._orders)
                if order is None:
                    return
                if order["do"] == "load":
                    self._load(order)
                else:
                    self._fork(order, descriptors)

    def _answer(self, **message: Any) -> None:
        with contextlib.suppress(OSError):
            self._answers.sendall(json.dumps(message).encode() + b"\n")

    def _load(self, order: dict[str, Any]) -> None:
        if order["layer"] not in sys.path:
            site.addsitedir(order["layer"])
        watch = ThreadWatch()
        with Blocked(order["skip"]), PROFILE.measure(), watch.watching(), self._reads.watching():
            for name in (*SERVING_MODULES, *order["modules"]):
                _import(name)
            if not self._rehearsed and REHEARSAL not in order["skip"]:
                with contextlib.suppress(Exception, LeftOut):
                    self._rehearsed = rehearse()
        gc.collect()
        gc.freeze()
        self._scattered = True
        lasting = lasting_threads()
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
        pid = os.fork()
        if pid == 0:
            _become_worker(self, descriptors, order.get("trees", ()))
        for descriptor in descriptors:
            os.close(descriptor)
        self._answer(event="forked", pid=pid)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self._answer(event="exited", pid=pid, code=os.waitstatus_to_exitcode(status))

    def close(self) -> None:
        """In the child: the zygote's own descriptors are not the worker's."""
        signal.set_wakeup_fd(-1)
        for end in (self._orders, self._answers, self._woken, self._wake):
            end.close()


def _become_worker(zygote: Zygote, descriptors: list[int], paths: Sequence[str]) -> NoReturn:
    """`descriptors` are control channel, standard output, standard error, to serve its sockets, and what is at `paths`
    of what this process does not see.
    """
    try:
        os.setsid()
        zygote.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control, out, err, *rest = descriptors
        first = len(rest) - len(paths)
        sockets, trees = rest[:first], dict(zip(map(Path, paths), rest[first:], strict=True))
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        gc.enable()
        if "numpy.random" in sys.modules:
            # Seeded when it was imported, for all workers alike; the standard library's own is seeded by the fork.
            sys.modules["numpy.random"].seed()
        from .worker import main

        main(socket.socket(fileno=control), [socket.socket(fileno=descriptor) for descriptor in sockets], trees)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _import(name: str) -> None:
    """Imports a module, or the module that has the last part of `name` as an attribute, which may import more."""
    with contextlib.suppress(Exception, LeftOut):
        try:
            importlib.import_module(name)
        except ImportError:
            parent, _, attribute = name.rpartition(".")
            if parent:
                getattr(importlib.import_module(parent), attribute)
