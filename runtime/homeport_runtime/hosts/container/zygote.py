"""Runs a layer's zygote as the first process of a container, for a platform's supervisor outside of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import Any

from .. import worker  # noqa: F401 - its forks have it
from ..confinement import keep_memory_private
from ..zygote import Zygote
from .agreed import NO_SOCKET
from .layout import Layout
from .limits import read_limits


def main(path: str, root: Path = Path("/")) -> None:
    """Connects to the supervisor's socket at `path`, and carries out its orders until the supervisor closes it."""
    keep_memory_private()
    # Some packages look for it when they are imported, and an engine sets it to / for a user that it does not know.
    os.environ["HOME"] = str(Layout(root).home)
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        supervisor.connect(path)
    except OSError:
        raise SystemExit(NO_SOCKET) from None
    ContainerZygote(supervisor, root).run()


class ContainerZygote(Zygote):
    """Signals its workers on order, too: outside of the container their ids are those of other processes, or of none.

    The container is the workers' room, so it gives them no other.
    """

    def __init__(self, supervisor: socket.socket, root: Path) -> None:
        super().__init__(supervisor, supervisor, in_room=False)
        self._root = root
        self._workers: set[int] = set()

    def _obey(self, order: dict[str, Any], descriptors: list[int]) -> None:
        if order["do"] == "signal":
            self._signal(order["pid"], order["signal"])
        elif order["do"] == "limits":
            self._report_limits(descriptors)
        else:
            super()._obey(order, descriptors)

    def _report_limits(self, descriptors: list[int]) -> None:
        """Reports the limits, and writes to each descriptor, since some engines pass on data alone."""
        for descriptor in descriptors:
            os.write(descriptor, b"\0")
            os.close(descriptor)
        self._answer(event="limits", tried=True, **read_limits(self._root / "sys/fs/cgroup"))

    def _signal(self, pid: int, number: int) -> None:
        """Signals a worker or, with its id negated, the worker's process group, as kill(2) does."""
        # Until it is reaped here, no other process can have its id.
        if abs(pid) in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        self._answer(event="signalled", pid=pid)

    def _report_fork(self, pid: int) -> None:
        self._workers.add(pid)
        super()._report_fork(pid)

    def _report_end(self, pid: int, code: int) -> None:
        # The first process also reaps what workers have left behind.
        if pid not in self._workers:
            return
        self._workers.discard(pid)
        # Programs that it has started end with it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(-pid, signal.SIGKILL)
        super()._report_end(pid, code)
