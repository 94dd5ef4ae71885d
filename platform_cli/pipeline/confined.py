"""Programs that run code of packages (setup.py, build backends, scripts of npm) see nothing of the platform's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..home import Home, home_root

# What each process of a build may take.
MEMORY_MB = 8192


def confined(
    command: Sequence[str],
    *,
    hidden: Sequence[Path] = (),
    writable: Sequence[Path] = (),
    read_only: Iterable[Path] = (),
) -> list[str]:
    """The words that run `command` where there is nothing in the home, nor in `hidden`, but the folders `writable`,
    `read_only`, and the temporary ones that `command` or `writable` lead into, and where nothing changes what the
    platform itself runs, nor the caches that others are made of. Where the system does not let folders be hidden they
    are `command` alone, as for servers.
    """
    # Late: a redeploy runs none of them, and has no time for what it does not use.
    from homeport_runtime.hosts.confinement import Room, can_hide
    from homeport_runtime.hosts.room_command import command_in

    from ..own_code import own_code

    home = Home(home_root())
    if not home.root.is_dir() or not can_hide(home.root):
        return list(command)
    inside = (path for path in (*map(Path, command), *writable) if path.is_relative_to(home.temporary))
    temporary = {home.temporary / path.relative_to(home.temporary).parts[0] for path in inside}
    shown = {folder for folder in writable if not folder.is_relative_to(home.temporary)} | temporary
    folders = tuple(folder for folder in (*home.private, *hidden) if folder.is_dir())
    shared = (folder for folder in shared_folders() if folder not in (*hidden, *writable))
    readable = (*(folder for folder in read_only if folder.is_dir()), *shared, *own_code())
    return command_in(Room(folders, tuple(sorted(shown)), readable), command, MEMORY_MB)


def shared_folders() -> tuple[Path, ...]:
    """What other projects are made of: no code of a package's may change it, in a build or later."""
    return tuple(folder for folder in (uv_cache(), npm_cache(), _uv_pythons()) if folder.is_dir())


def uv_cache() -> Path:
    """uv's own, as its documentation has it ("Caching")."""
    named = os.environ.get("UV_CACHE_DIR")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(named) if named else base / "uv").absolute()


def _uv_pythons() -> Path:
    """The Pythons that uv has installed, as its documentation has it ("Storage")."""
    named = os.environ.get("UV_PYTHON_INSTALL_DIR")
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return (Path(named) if named else base / "uv" / "python").absolute()


def npm_cache() -> Path:
    """npm's own, as its documentation has it ("config", "cache")."""
    return Path(os.environ.get("npm_config_cache") or Path.home() / ".npm").absolute()  # noqa: SIM112 - npm's own


def without_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what names or opens the platform itself."""
    return {name: text for name, text in environment.items() if not name.startswith("HOMEPORT_")}


def own_temporary_folder(folder: Path) -> dict[str, str]:
    """The variable that makes programs keep temporary files in `folder`, which is made."""
    folder.mkdir(exist_ok=True)
    return {"TMPDIR": os.fspath(folder)}
