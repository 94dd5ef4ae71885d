"""Opens files where a server may write, so that no symlink is followed and nothing but a regular file is opened."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_regular(path: Path | str, flags: int, *, folder: int | None = None) -> int:
    """Returns a descriptor of the regular file at `path`, relative to the descriptor `folder`; a new file gets mode
    0600.

    Raises OSError for a symlink (ELOOP), and for a pipe, a device or a folder (EINVAL), without waiting for it.
    """
    descriptor = os.open(path, flags | _SAFE, 0o600, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return descriptor


def open_folder(path: Path | str, *, folder: int | None = None) -> int:
    """Returns a descriptor of the folder at `path`, relative to the descriptor `folder`.

    Raises OSError for anything that is not a folder, and for a symlink to one.
    """
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFE, dir_fd=folder)


def digest(path: Path | str, *, folder: int | None = None, most: int | None = None) -> str | None:
    """Returns the SHA-256 of a regular file in hexadecimal digits, or None if it has more than `most` bytes.

    Raises OSError as `open_regular` does.
    """
    with os.fdopen(open_regular(path, os.O_RDONLY, folder=folder), "rb") as file:
        if most is not None and os.fstat(file.fileno()).st_size > most:
            return None
        return hashlib.file_digest(file, "sha256").hexdigest()
