"""Decides what a worker sees of the platform's folders: its bundle, and its server's part of the project's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from homeport_runtime.hosts.cgroup_places import mount_points
from homeport_runtime.hosts.confinement import Room
from homeport_runtime.hosts.users import ZYGOTES
from homeport_runtime.loading.environment import login
from homeport_runtime.loading.manifest import APP_FOLDER

from ..own_code import own_code
from ..pipeline.confined import shared_folders, uv_pythons
from .release import RunnableRelease

# The server's folders in a project's folder, beside the working folder; everything else there is the platform's.
SESSIONS, HOME, CACHE = "sessions", "home", "cache"


def worker_room(release: RunnableRelease, workdir: Path, *, compiles: bool) -> Room:
    """Returns the room of a worker, whose folders it creates.

    With `compiles` Python may write the bytecode of the bundle there, which is so when the server is inspected.
    """
    if not release.hidden:
        return Room(())
    own_user = release.user is not None
    app, project = release.bundle / APP_FOLDER, workdir.parent
    login(workdir)
    if release.manifest["sessions"]:
        (project / SESSIONS).mkdir(mode=0o700, exist_ok=True)
    (project / CACHE).mkdir(mode=0o700, exist_ok=True)
    if own_user:
        (project / HOME).mkdir(mode=0o700, exist_ok=True)
    own = [folder for name in (SESSIONS, HOME, CACHE) if (folder := project / name).is_dir()]
    compiled = _bytecode_folders(app) if compiles else ()
    return Room(
        release.hidden,
        (workdir, *own, *compiled),
        (app, *shared(own_user=own_user)),
        release.by_landlock,
        release.user,
        project / HOME if own_user else None,
    )


def layer_room(release: RunnableRelease) -> Room | None:
    """Returns the room in which a layer is imported, before there is a worker; None where nothing can be hidden."""
    if not release.hidden:
        return None
    own_user = release.user is not None
    read_only = (release.layer, release.runtime, *shared(own_user=own_user))
    return Room(release.hidden, read_only=read_only, user=ZYGOTES if own_user else None)


def shown(room: Room) -> list[Path]:
    """Returns the outermost folders that the room shows in those that are hidden, and that a zygote's does not show."""
    shown = {*room.writable, *room.read_only}.difference(shared(own_user=False))
    inside = {path for path in shown if any(map(path.is_relative_to, room.hidden))}
    return sorted(path for path in inside if inside.isdisjoint(path.parents))


def own_caches(workdir: Path) -> dict[str, str]:
    """Returns the variables for uv's and npm's caches of the server itself, which may not change those of other
    projects.
    """
    caches = workdir.parent / CACHE
    return {"UV_CACHE_DIR": str(caches / "uv"), "npm_config_cache": str(caches / "npm")}


def shared(*, own_user: bool) -> tuple[Path, ...]:
    """Returns what servers of all projects see and must not change, their own limits included.

    What is cached is not for those with users of their own: they cannot change it, and root's may be closed to others.
    """
    pythons = (folder,) if (folder := uv_pythons()).is_dir() else ()
    return (*own_code(), *(pythons if own_user else shared_folders()), *mount_points())


def _bytecode_folders(app: Path) -> Iterator[Path]:
    for folder in {file.parent for file in app.rglob("*.py")}:
        compiled = folder / "__pycache__"
        compiled.mkdir(exist_ok=True)
        yield compiled
