"""Files where a server may write: links are not followed, and nothing is opened that is no regular file."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_regular(path: Path | str, flags: int, *, folder: int | None = None) -> int:
    """A descriptor of the regular file at `path`, relative to the descriptor `folder`; a file that is made is private.

    Raises OSError for a link (ELOOP), a pipe, a device or a folder (EINVAL), which is not waited for.
    """
    descriptor = os.open(path, flags | _SAFE, 0o600, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return descriptor


def open_folder(path: Path | str, *, folder: int | None = None) -> int:
    """As `open_regular`, of a folder. Raises OSError for anything else, and for a link to one."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=folder)


def digest(path: Path | str, *, folder: int | None = None, most: int | None = None) -> str | None:
    """The sha256 of a regular file; None for one of more than `most` bytes. Raises OSError as `open_regular` does."""
    with os.fdopen(open_regular(path, os.O_RDONLY, folder=folder), "rb") as file:
        if most is not None and os.fstat(file.fileno()).st_size > most:
            return None
        return hashlib.file_digest(file, "sha256").hexdigest()
