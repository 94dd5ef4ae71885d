"""Runs outside of a zygote's room, and opens for each worker the folders that the worker may see and the zygote may
not.

Importing a package runs its code, so a zygote is in a room before it imports anything, and what is hidden there cannot
be shown by a process within. A worker therefore gets its project's folders from here, as mounts. No package's code runs
in this process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from . import linux
from .confinement import Room, enter_for_forks, stay_outside
from .orders import receive_order, send_order
from .users import END, FIRST, UserNamespaces, map_users

# The bytes of a zygote's output that are logged, such as what packages print when they are imported.
MAX_OUTPUT = 1024 * 1024


def main(control: str, room: str = "") -> None:
    """Runs a zygote that takes orders from the descriptor `control`, in the room that `room` describes as
    JSON, if any.
    """
    orders = socket.socket(fileno=int(control))
    if room:
        _keep(orders, Room.from_json(room))
    else:
        _run_zygote(orders, orders, in_room=False)


def _run_zygote(orders: socket.socket, answers: socket.socket, *, in_room: bool) -> None:
    # Imported late, since the process outside does not need the large modules of workers.
    from . import worker  # noqa: F401 - its forks have it
    from .zygote import Zygote

    Zygote(orders, answers, in_room=in_room).run()


def _keep(control: socket.socket, room: Room) -> None:
    """Serves until the sender of the orders has ended."""
    with _explained():
        stay_outside()
        os.close(linux.clone_tree(Path("/dev")))
    inner, theirs = socket.socketpair()
    output = _Output()
    zygote = os.fork()
    if zygote == 0:
        inner.close()
        output.take()
        _become_zygote(theirs, control, room)
    theirs.close()
    output.keep()
    _end_with(zygote, output)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    namespaces = UserNamespaces(_map_users(inner, zygote, room.user))
    while True:
        ready, _, _ = select.select([control.fileno(), *output.readable], [], [])
        output.copy()
        if control.fileno() not in ready:
            continue
        order, descriptors = receive_order(control)
        if order is None:
            return
        trees = dict(_open_trees(order.pop("shown", ())))
        descriptors += trees.values()
        namespace = [namespaces.open(user)] if (user := order.get("user")) is not None else []
        send_order(inner, {**order, "trees": list(trees)}, [*descriptors, *namespace])
        for descriptor in descriptors:
            os.close(descriptor)


def _end_with(zygote: int, output: _Output) -> None:
    """Ends the keeper when the zygote has ended; the zygote ends with it, too."""

    def on_end(*_: object) -> None:
        if os.waitpid(zygote, os.WNOHANG) != (0, 0):
            output.end()

    signal.signal(signal.SIGCHLD, on_end)
    # It may have ended before.
    on_end()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Ends the process, with a message, if the kernel does not allow a room."""
    try:
        yield
    except OSError as error:
        sys.stderr.write(f"packages cannot be imported in a room, and workers start without a zygote: {error}\n")
        raise SystemExit(1) from error


class _Output:
    """Copies the zygote's output, which comes over a pipe, since a process with the platform's log open could change
    it.
    """

    def __init__(self) -> None:
        self._ours, self._theirs = os.pipe()
        os.set_blocking(self._ours, False)
        self._left = MAX_OUTPUT
        self.readable = [self._ours]

    def take(self) -> None:
        """Connects the pipe, in the zygote."""
        for standard in (1, 2):
            os.dup2(self._theirs, standard)
        os.close(self._theirs)
        os.close(self._ours)

    def keep(self) -> None:
        """Closes the zygote's end, in the keeper."""
        os.close(self._theirs)

    def copy(self) -> None:
        """Copies the available output, up to MAX_OUTPUT bytes in all."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._ours, 64 * 1024):
                os.write(2, data[: self._left])
                self._left -= len(data[: self._left])
            self.readable = []

    def end(self) -> NoReturn:
        """Ends the keeper when the zygote has ended."""
        self.copy()
        os._exit(1)


def _open_trees(paths: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Yields mounts of the paths that exist; a worker without one of them reports that itself."""
    for path in paths:
        with contextlib.suppress(OSError):
            yield path, linux.clone_tree(Path(path))


def _become_zygote(orders: socket.socket, answers: socket.socket, room: Room) -> NoReturn:
    try:
        linux.die_with_parent(signal.SIGKILL)
        with _explained():
            enter_for_forks(replace(room, read_only=(*room.read_only, Path(sys.base_prefix))), _asking(orders))
        # Whoever changes its user forgets it.
        linux.die_with_parent(signal.SIGKILL)
        _run_zygote(orders, answers, in_room=True)
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _asking(outside: socket.socket) -> Callable[[], None]:
    def map_users() -> None:
        outside.send(b"?")
        outside.recv(1)

    return map_users


def _map_users(inner: socket.socket, zygote: int, user: int | None) -> int:
    """Maps, when the zygote asks for it, the users of its user namespace to the same users here (user_namespaces(7)):
    all of them or, for a zygote with a user of its own, those of servers. Returns that namespace.
    """
    if not inner.recv(1):
        # The zygote has ended, and so does this process (_end_with).
        signal.pause()
    if user is None:
        map_users(zygote, *map(_same, ("uid_map", "gid_map")))
    else:
        servers = f"{FIRST} {FIRST} {END - FIRST}"
        map_users(zygote, servers, servers)
    # Of a process that has changed its user only few may open it.
    namespace = os.open(f"/proc/{zygote}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    inner.send(b".")
    return namespace


def _same(name: str) -> str:
    """Returns the map that maps to itself what this process's own map `name` has."""
    ranges = [line.split() for line in Path("/proc/self", name).read_text().splitlines()]
    return "\n".join(f"{first} {first} {count}" for first, _outside, count in ranges)
