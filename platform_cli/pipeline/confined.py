"""Confines programs that run code of packages (setup.py, build backends, npm's scripts), which must not see the
platform.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..home import Home, home_root
from ..isolation import isolation

# The memory that each process of a build may allocate.
MEMORY_MB = 8192


def confined(
    command: Sequence[str],
    *,
    hidden: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    read_only: Iterable[Path] = (),
) -> list[str]:
    """Returns the command that runs `command` where the home and the folders `hidden` cannot be seen.

    What is shown of them are the folders `writable`, `read_only`, and the temporary folders that contain `command` or
    `writable`. The platform's own code, and the caches from which others are built, are read-only. Where servers have
    users of their own, it runs as one, too. Where the system cannot hide folders, `command` is returned as it is, and
    servers are not confined either.
    """
    # Imported late, since a redeploy runs no such program and would wait for it.
    from homeport_runtime.hosts.cgroup_places import mount_points
    from homeport_runtime.hosts.confinement import Room, means
    from homeport_runtime.hosts.room_command import command_in
    from homeport_runtime.hosts.users import BUILDS

    from ..own_code import closed_folders, own_code

    home = Home(home_root())
    if not home.root.is_dir() or not (confined_by := means(home.root)):
        return list(command)
    inside = (path for path in (*map(Path, command), *writable) if path.is_relative_to(home.temporary))
    temporary = {home.temporary / path.relative_to(home.temporary).parts[0] for path in inside}
    shown = {folder for folder in writable if not folder.is_relative_to(home.temporary)} | temporary
    folders = tuple(folder for folder in (*home.private, *hidden) if folder.is_dir())
    shared = (folder for folder in shared_folders() if folder not in (*hidden, *writable))
    readable = (*(folder for folder in read_only if folder.is_dir()), *shared, *own_code(), *mount_points())
    room = Room(folders, tuple(sorted(shown)), readable, by_landlock=confined_by == "landlock")
    # Without a folder of its own it is npm that fills its cache, and no package's code runs.
    if isolation(home) == "users" and temporary and all(folder.is_relative_to(home.root) for folder in shown):
        # Caches of root's, where others may not enter, are not for another user to read.
        readable = tuple(folder for folder in readable if folder not in (uv_cache(), npm_cache()))
        hiding = (*folders, *closed_folders((*folders, *readable)))
        room = replace(room, hidden=hiding, read_only=readable, user=BUILDS, home=min(temporary))
    return command_in(room, command, MEMORY_MB)


def shared_folders() -> tuple[Path, ...]:
    """Returns the folders from which other projects are built, which no package's code may change."""
    return tuple(folder for folder in (uv_cache(), npm_cache(), uv_pythons()) if folder.is_dir())


def uv_cache() -> Path:
    """Returns the folder of uv's cache, as its documentation defines it ("Caching")."""
    named = os.environ.get("UV_CACHE_DIR")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(named) if named else base / "uv").absolute()


def uv_pythons() -> Path:
    """Returns the folder of the Pythons that uv has installed, as its documentation defines it ("Storage")."""
    named = os.environ.get("UV_PYTHON_INSTALL_DIR")
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (Path(named) if named else base / "uv" / "python").absolute()


def npm_cache() -> Path:
    """Returns the folder of npm's cache, as its documentation defines it ("config", "cache")."""
    return Path(os.environ.get("npm_config_cache") or Path.home() / ".npm").absolute()  # noqa: SIM112 - npm's own


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns `environment` without the variables that name the platform or give access to it."""
    return {name: text for name, text in environment.items() if not name.startswith("HOMEPORT_")}


def own_temporary_folder(folder: Path) -> dict[str, str]:
    """Creates `folder`, and returns the variable that makes programs keep their temporary files in it."""
    folder.mkdir(exist_ok=True)
    return {"TMPDIR": os.fspath(folder)}
