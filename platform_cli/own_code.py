"""What the platform itself runs, with its own rights: nothing that it confines may change that."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import homeport_runtime
import platform_cli


@cache
def uv_folder() -> str | None:
    """Where our own uv and uvx are: the last on PATH, so that a server that needs them has them."""
    from uv import find_uv_bin

    try:
        return str(Path(find_uv_bin()).parent)
    except FileNotFoundError:
        return None


@cache
def own_code() -> tuple[Path, ...]:
    """The folders that have all of it."""
    packages = (Path(module.__file__).parent for module in (platform_cli, homeport_runtime) if module.__file__)
    folders = {Path(sys.prefix), Path(sys.base_prefix), *packages, *map(Path, filter(None, [uv_folder()]))}
    folders = {folder.resolve() for folder in folders}
    return tuple(sorted(f for f in folders if not any(f != other and f.is_relative_to(other) for other in folders)))
