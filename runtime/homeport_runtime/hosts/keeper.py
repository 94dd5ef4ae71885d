"""The process outside of a zygote's room: it opens for each worker what that one may see, and the zygote may not.

Importing a package runs its code, so a zygote is in a room before it imports anything, and what is hidden there cannot
be shown by a process within. A worker therefore gets its project's folders from here, as mounts. No package's code runs
in this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from . import linux
from .confinement import Room, enter_for_forks, stay_outside
from .orders import receive_order, send_order
from .zygote import Zygote


def main(control: str, room: str = "") -> None:
    """Runs a zygote that takes orders from the descriptor `control`; in `room`, as JSON, where one is given."""
    orders = socket.socket(fileno=int(control))
    if room:
        _keep(orders, Room.from_json(room))
    else:
        Zygote(orders, orders, in_room=False).run()


def _keep(control: socket.socket, room: Room) -> None:
    """To the end of whoever gives the orders. Raises OSError where the kernel does not allow it."""
    stay_outside()
    os.close(linux.clone_tree(Path("/dev")))
    inner, theirs = socket.socketpair()
    # Without its zygote it is of no use, and neither is a zygote without it.
    signal.signal(signal.SIGCHLD, lambda *_: os._exit(1))
    zygote = os.fork()
    if zygote == 0:
        inner.close()
        _become_zygote(theirs, control, room)
    theirs.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _map_users(inner, zygote)
    while True:
        order, descriptors = receive_order(control)
        if order is None:
            return
        trees = dict(_open_trees(order.pop("shown", ())))
        descriptors += trees.values()
        send_order(inner, {**order, "trees": list(trees)}, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _open_trees(paths: Iterable[str]) -> Iterable[tuple[str, int]]:
    """Who misses one of them says so itself."""
    for path in paths:
        with contextlib.suppress(OSError):
            yield path, linux.clone_tree(Path(path))


def _become_zygote(orders: socket.socket, answers: socket.socket, room: Room) -> NoReturn:
    try:
        linux.die_with_parent(signal.SIGKILL)
        enter_for_forks(room, _asking(orders))
        Zygote(orders, answers, in_room=True).run()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _asking(outside: socket.socket) -> Callable[[], None]:
    def map_users() -> None:
        outside.send(b"?")
        outside.recv(1)

    return map_users


def _map_users(inner: socket.socket, zygote: int) -> None:
    """As soon as it asks: the users of its user namespace are those of this one (user_namespaces(7))."""
    if not inner.recv(1):
        return
    for name in ("uid_map", "gid_map"):
        ranges = [line.split() for line in Path("/proc/self", name).read_text().splitlines()]
        same = "\n".join(f"{first} {first} {count}" for first, _outside, count in ranges)
        Path("/proc", str(zygote), name).write_text(same)
    inner.send(b".")
