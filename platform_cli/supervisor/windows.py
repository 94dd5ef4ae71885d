"""Keeps the file in which the workers of a project count calls under [limits] (homeport_runtime.guard.windows)."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

from .container_spec import CALLS, CALLS_INSIDE
from .release import RunnableRelease

PREFIX = "limits-"


def windows_file(project: Path, release: RunnableRelease) -> Path | None:
    """Returns where the workers of `release` find the file for its limits, which is made in the project's folder if
    there is none; None without limits, or if it cannot be made: then each worker counts for itself.

    Releases with the same limits share it, so that a deploy forgets no calls.
    """
    limits = release.manifest.get("limits")
    if not limits:
        return None
    # Another runtime may arrange the file in another way.
    name = PREFIX + hashlib.sha256(json.dumps([limits, release.runtime.name], sort_keys=True).encode()).hexdigest()[:32]
    folder = project / ("limits" if release.container is None else CALLS)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(folder / name)
        for other in folder.glob(f"{PREFIX}*"):
            if other.name != name:
                other.unlink()
    except OSError:
        return None
    return folder / name if release.container is None else Path(CALLS_INSIDE, name)


def _make(path: Path) -> None:
    """Makes the file if there is none.

    Raises OSError if that is not possible, or if a server of the platform's own user has put something else there.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileExistsError(path)
        # A worker may be another user than the platform's; the project's folder is closed to all others.
        os.fchmod(descriptor, 0o666)
    finally:
        os.close(descriptor)
