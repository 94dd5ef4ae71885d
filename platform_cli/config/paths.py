"""Checks the paths that a configuration names, which stay within the project folder, and shows paths as people type
them.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from pathlib import Path, PurePosixPath

# All control characters but tab and newline: they could steer a terminal, or end a path early.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def inside(folder: Path, relative: str) -> str:
    """Returns `relative` in its shortest POSIX form.

    Raises ValueError with the reason if the path, or a symlink in it, leads out of `folder`.
    """
    if not relative or CONTROL.search(relative):
        raise ValueError("is not a path")
    path = PurePosixPath(posixpath.normpath(relative))
    if path.is_absolute():
        raise ValueError("is an absolute path; write it relative to the project folder")
    try:
        real = (folder / path).resolve()
    except (OSError, RuntimeError):  # a loop of symlinks; RuntimeError before Python 3.13
        raise ValueError("is a symlink that leads nowhere") from None
    if not real.is_relative_to(folder.resolve()):
        raise ValueError("is outside the project folder")
    return str(path)


def typed(path: Path) -> str:
    """Returns a path as one would type it in a shell in the current folder."""
    return shlex.quote(str(from_here(path)))


def from_here(path: Path) -> Path:
    """Returns `path` relative to the current folder if it is below it, else unchanged."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def exists(path: Path) -> bool:
    """Tells whether there is something at `path`.

    Raises OSError where that cannot be known: for a name that is too long, or a folder that may not be searched.
    Path.exists of Python 3.14 says there that nothing exists.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no path, such as one with a NUL
        return False
    return True


def file_inside(folder: Path, relative: str) -> str:
    """Returns `relative` as `inside` does, and raises ValueError as well unless it is an existing regular file."""
    name = inside(folder, relative)
    path = folder / name
    if not path.exists():
        raise ValueError("does not exist")
    if not path.is_file():
        raise ValueError("is not a file")
    return name
