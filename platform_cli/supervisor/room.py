"""What a worker sees of the platform's folders: its bundle, and of its project what is its server's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from homeport_runtime.hosts.confinement import Room
from homeport_runtime.loading.environment import login
from homeport_runtime.loading.manifest import APP_FOLDER

from ..own_code import own_code
from ..pipeline.confined import shared_folders
from .release import RunnableRelease

# Of a project's folder these are its server's, beside the working folder: what the platform keeps there is its own.
SESSIONS, HOME, CACHE = "sessions", "home", "cache"


def worker_room(release: RunnableRelease, workdir: Path, *, compiles: bool) -> Room:
    """Its folders are there when this returns. With `compiles` Python keeps there what it compiles of the bundle: when
    the server is inspected; it is read ever after.
    """
    if not release.hidden:
        return Room(())
    app, project = release.bundle / APP_FOLDER, workdir.parent
    login(workdir)
    if release.manifest["sessions"]:
        (project / SESSIONS).mkdir(mode=0o700, exist_ok=True)
    (project / CACHE).mkdir(mode=0o700, exist_ok=True)
    own = [folder for name in (SESSIONS, HOME, CACHE) if (folder := project / name).is_dir()]
    compiled = _bytecode_folders(app) if compiles else ()
    return Room(release.hidden, writable=(workdir, *own, *compiled), read_only=(app, *own_code(), *shared_folders()))


def layer_room(release: RunnableRelease) -> Room | None:
    """Where a layer is imported, before there is a worker; None where nothing can be hidden."""
    if not release.hidden:
        return None
    return Room(release.hidden, read_only=(release.layer, release.runtime, *own_code(), *shared_folders()))


def shown(room: Room) -> list[Path]:
    """What lies in the folders that are hidden, but for what lies in another of these."""
    inside = {path for path in (*room.writable, *room.read_only) if any(map(path.is_relative_to, room.hidden))}
    return sorted(path for path in inside if inside.isdisjoint(path.parents))


def own_caches(workdir: Path) -> dict[str, str]:
    """The variables that say where uv and npm keep what the server itself has them install: it may not change the
    caches that other projects are made of.
    """
    caches = workdir.parent / CACHE
    return {"UV_CACHE_DIR": str(caches / "uv"), "npm_config_cache": str(caches / "npm")}


def _bytecode_folders(app: Path) -> Iterator[Path]:
    for folder in {file.parent for file in app.rglob("*.py")}:
        compiled = folder / "__pycache__"
        compiled.mkdir(exist_ok=True)
        yield compiled
