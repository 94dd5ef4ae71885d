"""Finds the code that the platform itself runs with its own rights, and that no confined process may change, and lets
servers of all users read what they are made of.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import homeport_runtime
import platform_cli

from .infra_files import PACKAGE, infra_file

BYTECODE = "__pycache__"


@cache
def uv_folder() -> str | None:
    """Returns the folder of homeport's own uv and uvx, or None where there is none.

    It comes last on a server's PATH, so that servers that need uv find one.
    """
    from uv import find_uv_bin

    try:
        return str(Path(find_uv_bin()).parent)
    except FileNotFoundError:
        return None


def own_files() -> dict[str, Path]:
    """Returns the files of homeport itself as they are installed: by their paths in the folder of all packages."""
    files: dict[str, Path] = {}
    for package in (PACKAGE, Path(homeport_runtime.__path__[0])):
        found = (file for file in sorted(package.rglob("*")) if file.is_file() and BYTECODE not in file.parts)
        files |= {file.relative_to(package.parent).as_posix(): file for file in found}
    infra = infra_file(".")
    others = {file.relative_to(infra).as_posix(): file for file in sorted(infra.rglob("*")) if file.is_file()}
    return files | {f"{PACKAGE.name}/infra/{name}": file for name, file in others.items()}


@cache
def own_code() -> tuple[Path, ...]:
    """Returns the folders that contain all of the platform's own code."""
    packages = (Path(module.__file__).parent for module in (platform_cli, homeport_runtime) if module.__file__)
    folders = {Path(sys.prefix), Path(sys.base_prefix), *packages, *map(Path, filter(None, [uv_folder()]))}
    folders = {folder.resolve() for folder in folders}
    return tuple(sorted(f for f in folders if not any(f != other and f.is_relative_to(other) for other in folders)))


def open_to_all(folder: Path) -> None:
    """Lets all users read a folder and what is in it, so that servers with users of their own can be started from it.

    Nobody else reaches it, since the home is closed. The folder itself comes last: once it is open, all of it is.
    """
    for path, _folders, files in os.walk(folder, topdown=False):
        for name in files:
            _open(Path(path, name))
        _open(Path(path))


def is_open(folder: Path) -> bool:
    return folder.stat().st_mode & 0o005 == 0o005


def _open(path: Path) -> None:
    if path.is_symlink():
        return
    mode = path.stat().st_mode
    wanted = mode | 0o044 | (0o011 if mode & 0o100 else 0)
    if wanted != mode:
        path.chmod(wanted & 0o7777)


def closed_folders(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Returns the outermost folders on the way to `paths` that others may not enter."""
    return tuple(sorted({folder for path in paths for folder in _closed(path)}))


def _closed(path: Path) -> Iterator[Path]:
    for folder in reversed(path.parents):
        if folder.is_dir() and not folder.stat().st_mode & 0o001:
            yield folder
            return
