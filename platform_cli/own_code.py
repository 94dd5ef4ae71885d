"""Finds the code that the platform itself runs with its own rights, and that no confined process may change."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import homeport_runtime
import platform_cli

from .infra_files import PACKAGE, infra_file


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
        files |= {file.relative_to(package.parent).as_posix(): file for file in sorted(package.rglob("*.py"))}
    infra = infra_file(".")
    found = {file.relative_to(infra).as_posix(): file for file in sorted(infra.rglob("*")) if file.is_file()}
    return files | {f"{PACKAGE.name}/infra/{name}": file for name, file in found.items()}


@cache
def own_code() -> tuple[Path, ...]:
    """Returns the folders that contain all of the platform's own code."""
    packages = (Path(module.__file__).parent for module in (platform_cli, homeport_runtime) if module.__file__)
    folders = {Path(sys.prefix), Path(sys.base_prefix), *packages, *map(Path, filter(None, [uv_folder()]))}
    folders = {folder.resolve() for folder in folders}
    return tuple(sorted(f for f in folders if not any(f != other and f.is_relative_to(other) for other in folders)))
