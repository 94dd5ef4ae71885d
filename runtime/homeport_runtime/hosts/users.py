"""Lets servers run as users of their own where the platform runs as root.

A server becomes its user in its room, for good and without any capability. So all that root alone may read, write,
signal or trace is closed to it, and what is another server's, whatever it sees.

The process that workers are forked from runs packages' code and must not be able to become any server's user. It is
one user for all layers, in a user namespace in which servers' users exist and which gives it no right to change to
them. A process outside hands it, with each order to fork, a namespace below that, in which there is one user alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from . import linux

# The ids of users and of their groups. systemd's table "UIDs and GIDs on systemd Systems" has 65536 to 524287 as unused
# by distributions, and useradd(8) gives subordinate ids from 100000 on (SUB_UID_MIN in login.defs(5)).
FIRST, END = 65536, 100000
# The users of zygotes, of builds, and of the process that tries whether another user can run Python here.
ZYGOTES, BUILDS, TRIAL = FIRST, FIRST + 1, FIRST + 2
# Those of projects.
PROJECTS = range(FIRST + 16, END)
# Where a server with a user of its own finds its home, in the platform's folder: one path for all, since modules may
# read it in the process that all servers of a layer are forked from.
HOME = "home"
# The number of namespaces that are kept open; making one takes some milliseconds.
MOST = 64
# For mounts and namespaces, within the zygote's own (capabilities(7)).
_SYS_ADMIN = 21


def become(user: int, namespace: int | None = None) -> None:
    """Makes this process, which must have one thread, an ordinary process of `user` and of its group.

    Without the right to do so here it needs a `namespace` of UserNamespaces. Raises OSError if the kernel does not
    allow it, and if there is no such id in a container with few of them.
    """
    if namespace is not None:
        linux.enter_namespace(namespace, linux.CLONE_NEWUSER)
    linux.bound_capabilities(frozenset())
    _change(user)
    linux.hold_capabilities(frozenset())
    # A process that has changed its user may not read its own environment and descriptors in /proc.
    linux.set_dumpable(allowed=True)


def become_zygote(user: int) -> None:
    """Makes this process `user` in the user namespace that is its own, where it can still make rooms, and no more."""
    _change(user)
    linux.keep_capabilities(frozenset({_SYS_ADMIN}))


def _change(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def give_to(user: int, group: int, folder: Path) -> None:
    """Makes a folder, with all that is in it, the property of `user`, without following what the server has linked.

    The folder itself comes last: it is another user's until all that is in it is this one's.
    """
    for _path, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, user, group, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, user, group, follow_symlinks=False)


def map_users(process: int, users: str, groups: str) -> None:
    """Says what a process's new user namespace has; each line is the first id there and outside, and their number."""
    for name, ranges in (("uid_map", users), ("gid_map", groups)):
        Path("/proc", str(process), name).write_text(ranges)


class UserNamespaces:
    """Opens user namespaces within `parent`, a zygote's, with one user each, that the zygote's forks may enter."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._opened: dict[int, int] = {}

    def open(self, user: int) -> int:
        """Returns a descriptor, which stays this object's.

        Raises OSError if the kernel does not allow it.
        """
        if user not in self._opened:
            if len(self._opened) == MOST:
                os.close(self._opened.pop(next(iter(self._opened))))
            self._opened[user] = _open_namespace(self._parent, user)
        return self._opened[user]


def _open_namespace(parent: int, user: int) -> int:
    ours, theirs = socket.socketpair()
    helper = os.fork()
    if helper == 0:
        with _ending():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            ours.close()
            _make_namespace(parent, user, theirs)
    theirs.close()
    with ours:
        _said, descriptors, *_ = socket.recv_fds(ours, 1, 1)
    os.waitpid(helper, 0)
    if not descriptors:
        raise OSError(f"no user namespace can be made for the user {user}")
    return descriptors[0]


def _make_namespace(parent: int, user: int, out: socket.socket) -> None:
    """Sends `out` the namespace, which belongs to the zygote's user: its processes may enter it (setns(2))."""
    linux.enter_namespace(parent, linux.CLONE_NEWUSER)
    inside, outside = socket.socketpair()
    inner = os.fork()
    if inner == 0:
        with _ending():
            outside.close()
            _change(ZYGOTES)
            linux.unshare(linux.CLONE_NEWUSER)
            linux.set_dumpable(allowed=True)
            inside.send(b".")
            inside.recv(1)
    inside.close()
    with outside:
        if outside.recv(1):
            alone = f"{user} {user} 1"
            map_users(inner, alone, alone)
            socket.send_fds(out, [b"."], [os.open(f"/proc/{inner}/ns/user", os.O_RDONLY)])
    os.waitpid(inner, 0)


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """Ends the process, a fork, after the block."""
    try:
        yield
    finally:
        os._exit(0)
