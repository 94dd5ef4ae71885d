"""Makes temporary folders within the home, where no server sees them, and finds those that killed processes left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .home import Home, home_root

# The seconds after which a folder that nobody has locked counts as abandoned: its maker locks it just after making it.
NEW_S = 60.0


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """Makes a new folder for this user alone, which is removed when the block ends."""
    folders = Home(home_root()).temporary
    folders.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked_folder(folders, f"{purpose}-") as folder:
        yield folder


@contextmanager
def locked_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Makes a new folder in `parent` that is locked while its maker lives, and removed in the end if it was not
    renamed.
    """
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def is_abandoned(folder: Path) -> bool:
    """Tells whether the maker of a locked folder has died without removing it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # it has been renamed or removed meanwhile
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return time.time() - os.fstat(descriptor).st_mtime > NEW_S
        return False
    finally:
        os.close(descriptor)
