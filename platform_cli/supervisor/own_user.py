"""Decides whether servers can have users of their own here, and what else is hidden from one that has."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from homeport_runtime.hosts.confinement import Room, enter, means
from homeport_runtime.hosts.users import TRIAL

from ..own_code import closed_folders, is_open, open_to_all
from .release import RunnableRelease
from .room import shared

# The module of runtimes that know users.
MODULE = Path("homeport_runtime", "hosts", "users.py")


@cache
def obstacle(home: Path) -> str | None:
    """Returns why servers cannot have users of their own here, None if they can; a process of its own tries."""
    if os.getuid() != 0:
        return "only root can give servers users of their own"
    if means(home) != "namespaces":
        return "processes may not have mount namespaces of their own here"
    seen = shared(own_user=True)
    room = Room((home, *closed_folders((home, *seen))), read_only=seen, user=TRIAL)
    reason, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enter(room)
            Path(os.__file__).read_bytes()
            os._exit(0)
        except BaseException as error:
            os.write(tell, str(error).encode())
            os._exit(1)
    os.close(tell)
    with os.fdopen(reason) as said:
        text = said.read()
    return None if os.waitpid(child, 0)[1] == 0 else f"another user cannot run Python here: {text}"


def as_user(release: RunnableRelease, user: int) -> RunnableRelease:
    """Returns the release as it runs as `user`, unchanged if its runtime is of a version that knows none.

    Of the folders that only root may enter it sees no more than it needs.
    """
    if not release.hidden or not (release.runtime / MODULE).exists():
        return release
    if not is_open(release.layer):
        # A version that knew no users has made it.
        open_to_all(release.layer)
    needed = (*release.hidden, *shared(own_user=True), release.interpreter)
    return replace(release, user=user, hidden=(*release.hidden, *closed_folders(needed)))
