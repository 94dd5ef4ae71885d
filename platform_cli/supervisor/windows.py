"""Keeps the file in which the workers of a project count calls under [limits] (homeport_runtime.guard.windows)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from .release import INSIDE, RunnableRelease


def windows_file(folder: Path, release: RunnableRelease) -> Path | None:
    """Returns the file for the limits of `release`, which is made if there is none; None without limits, or if it
    cannot be made: then each worker counts for itself.

    Releases with the same limits share it, so that a deploy forgets no calls.
    """
    limits = release.manifest.get("limits")
    if not limits:
        return None
    # Another runtime may arrange the file in another way.
    name = hashlib.sha256(json.dumps([limits, release.runtime.name], sort_keys=True).encode()).hexdigest()[:32]
    if release.container is not None:
        # The first of the container's workers makes it.
        return INSIDE.state / f".limits-{name}"
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in folder.iterdir():
            if other != path:
                other.unlink()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    # A worker may be another user than the platform's; the folder is closed to all others.
    os.fchmod(descriptor, 0o666)
    os.close(descriptor)
    return path
