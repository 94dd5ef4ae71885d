"""Describes the container of a release to the engine: its name, its user, and what it sees of this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from homeport_runtime.hosts.users import give_to
from homeport_runtime.loading.environment import QUIET, REFERENCE
from homeport_runtime.loading.manifest import APP_FOLDER

from ..home import Home
from ..infra_files import infra_file
from .engine import ContainerSpec, Mount
from .release import INSIDE, Container, RunnableRelease
from .room import CACHE, HOME, SESSIONS

SOCKET_FOLDER, SOCKET = "/run/homeport", "zygote.sock"
# The folder of files with open calls, in a project's folder and in a container: the platform makes them, and nobody
# else may make any.
CALLS, CALLS_INSIDE = "open-calls", "/run/calls"
CALLS_MODE = 0o711
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


def container_spec(
    home: Home, place: str, release: RunnableRelease, socket_folder: Path, project: Path, shown: Sequence[Mount] = ()
) -> ContainerSpec:
    """Returns the container `place` of a release, which sees its image, its own folders in the folder `project`, and
    what is `shown` besides.
    """
    container = release.container or Container("", "none")
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
            Mount(project / CALLS, CALLS_INSIDE, read_only=False),
            *shown,
        ],
        memory_mb=release.manifest["memory_mb"] * max(release.max_workers, release.min_workers, 1) + ZYGOTE_MB,
        network=container.network,
        cpus=container.cpus,
    )


def inspected_parts(release: RunnableRelease) -> tuple[Mount, ...]:
    """Returns what a bundle's draft needs in a container whose image is its base alone."""
    return (
        Mount(release.layer, str(INSIDE.layer)),
        Mount(release.runtime, str(INSIDE.runtime)),
        Mount(infra_file("container/start.py"), str(INSIDE.start)),
        Mount(release.bundle / APP_FOLDER, str(INSIDE.bundle / APP_FOLDER)),
    )


def _open_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that everybody may see, since modules read some of them when they are imported."""
    return {**QUIET, **{name: text for name, text in environment.items() if not REFERENCE.search(text)}}


def _owner() -> tuple[int, int]:
    """Returns the user and the group of containers: the platform's own, but for root."""
    return (NOBODY, 0) if os.getuid() == 0 else (os.getuid(), os.getgid())


def make_folders(project: Path) -> None:
    """Makes the folders that a container sees of a project's, its own ones as the property of its user."""
    (project / CALLS).mkdir(parents=True, exist_ok=True)
    (project / CALLS).chmod(CALLS_MODE)
    for name in OWN:
        (project / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        # What is made in it later gets its owner, and the server may have made many files.
        if os.getuid() == 0 and (project / name).lstat().st_uid != NOBODY:
            give_to(NOBODY, 0, project / name)
