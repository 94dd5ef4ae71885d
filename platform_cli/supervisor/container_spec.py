"""Describes the container of a release to the engine: its name, its user, and what it sees of this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from homeport_runtime.hosts.users import give_to
from homeport_runtime.loading.environment import QUIET, REFERENCE

from ..home import Home
from .engine import ContainerSpec, Mount
from .release import INSIDE, Container, RunnableRelease
from .room import CACHE, HOME, SESSIONS

SOCKET_FOLDER, SOCKET = "/run/homeport", "zygote.sock"
# The label of containers with the home of their platform, by its hash.
LABEL = "homeport.home"
# The server's folders in a project's folder.
OWN = ("files", SESSIONS, HOME, CACHE)
# The user of containers where the platform is root; the usual one of images without users.
NOBODY = 65532
# The megabytes that the zygote may have beside what each worker may.
ZYGOTE_MB = 512


def home_id(home: Home) -> str:
    """Returns what tells the containers and images of a home from those of others."""
    return hashlib.sha256(os.fsencode(home.root)).hexdigest()[:12]


def image_name(home: Home) -> str:
    """Returns the name of a home's images, without a tag, under which no registry has any (RFC 2606)."""
    return f"homeport.invalid/{home_id(home)}"


def container_spec(home: Home, place: str, release: RunnableRelease, socket_folder: Path) -> ContainerSpec:
    """Returns the container `place` of a release, which sees its image and the project's own folders."""
    container = release.container or Container("", "none")
    project = home.project(release.project)
    user, group = _owner()
    return ContainerSpec(
        name=place,
        image=container.image,
        command=["zygote", f"{SOCKET_FOLDER}/{SOCKET}"],
        user=f"{user}:{group}",
        environment=_open_variables(release.environment),
        labels={LABEL: home_id(home), "homeport.project": release.project},
        mounts=[
            *(Mount(project / name, str(INSIDE.state / name), read_only=False) for name in OWN),
            Mount(socket_folder, SOCKET_FOLDER),
        ],
        memory_mb=release.manifest["memory_mb"] * max(release.max_workers, release.min_workers, 1) + ZYGOTE_MB,
        network=container.network,
        cpus=container.cpus,
    )


def _open_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that everybody may see, since modules read some of them when they are imported."""
    return {**QUIET, **{name: text for name, text in environment.items() if not REFERENCE.search(text)}}


def _owner() -> tuple[int, int]:
    """Returns the user and the group of containers: the platform's own, but for root."""
    return (NOBODY, 0) if os.getuid() == 0 else (os.getuid(), os.getgid())


def make_folders(project: Path) -> None:
    for name in OWN:
        (project / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.getuid() == 0:
            give_to(NOBODY, 0, project / name)
