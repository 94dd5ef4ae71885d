"""Lists what a deployed server can reach on this machine, as `homeport doctor` shows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homeport_runtime.hosts.cgroups import Groups
from homeport_runtime.hosts.confinement import means
from homeport_runtime.hosts.landlock import scopes_signals
from homeport_runtime.hosts.limits import PROCESSES

from ..home import Home
from ..isolation import isolation


@dataclass(frozen=True, slots=True)
class Reach:
    """Says whether a server can reach something: `reached` is `yes`, `no`, or how far, and `reason` is why."""

    what: str
    reached: str
    reason: str


def reach_here(home: Path, platform: int | None = None) -> tuple[Reach, ...]:
    """Returns what servers of the platform with the process id `platform` reach, or of one that were started here."""
    groups = Groups.find(home, platform or os.getpid())
    confined_by = means(home)
    is_root = os.getuid() == 0 and isolation(Home(home)) == "namespaces"
    match confined_by:
        case "namespaces":
            own = _in_namespaces(is_root=is_root)
        case "landlock":
            own = _by_landlock(groups)
        case None:
            own = _open()
    if confined_by is None:
        shares = _shares_of_others()
    else:
        shares = _shares(groups, processes_are_bound=confined_by == "namespaces" and not is_root)
    files = _own_files() if os.getuid() == 0 and not is_root else _shared_files(is_root=is_root)
    return (*own, *shares, *files, *_always())


def in_container() -> bool:
    """Tells whether this runs in a container: engines leave a file there, or a variable (homeport's image has it)."""
    return "container" in os.environ or any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))


def _in_namespaces(*, is_root: bool) -> Iterator[Reach]:
    yield Reach("the platform's key, store, logs and socket", "no", "not in its mount namespace")
    yield Reach("other projects: files, secrets, bundles", "no", "not in its mount namespace")
    yield Reach("other processes: signals, memory, names", "no", "not in its PID namespace")
    yield Reach("its bundle and packages, and the platform's code", "reads", "mounted read-only")
    yield Reach("caches that other projects are made of (uv, npm)", "reads", "mounted read-only; it has its own")
    yield Reach("life after its worker", "no", "its PID namespace ends with the worker")
    if is_root:
        yield Reach("kernel settings, disks", "no", "read-only or not there, though the platform runs as root")
        yield Reach("raw packets, ports below 1024", "no", "but with `cold_start_optimization = false`, as root")


def _by_landlock(groups: Groups) -> Iterator[Reach]:
    yield Reach("the platform's key, store and logs", "no", "Landlock allows no file there")
    yield Reach("other projects: files, secrets, bundles", "no", "Landlock allows no file there")
    yield Reach("other processes: memory", "no", "Landlock forbids to trace them")
    if scopes_signals():
        yield Reach("other processes: signals", "no", "Landlock keeps its signals inside")
    else:
        yield Reach("other processes: signals", "yes", "before Linux 6.12 Landlock does not know signals")
    yield Reach("its bundle and packages, and the platform's code", "reads", "Landlock allows no more")
    yield Reach("caches that other projects are made of (uv, npm)", "reads", "Landlock allows no more; it has its own")
    if groups.can_kill:
        yield Reach("life after its worker", "no", "its control group ends with the worker")
    else:
        yield Reach("life after its worker", "yes", "no control groups may be made here")
    yield Reach("the platform's socket", "no", "its processes carry a mark (seccomp)")
    yield Reach("Caddy's socket, if there is one", "yes", "Landlock does not know sockets that have a path")


def _open() -> Iterator[Reach]:
    reason = "user namespaces are not allowed" if sys.platform == "linux" else "this system has no namespaces"
    for what in (
        "the platform's key, store and logs",
        "other projects: files, secrets, bundles",
        "other processes: signals",
        "its bundle and packages, and the platform's code",
        "caches that other projects are made of (uv, npm)",
        "life after its worker",
    ):
        yield Reach(what, "yes", reason)
    kept = "its processes carry a mark (seccomp)" if sys.platform == "linux" else "only its worker's session is known"
    yield Reach("the platform's socket", "no", kept)


def _shares(groups: Groups, *, processes_are_bound: bool) -> Iterator[Reach]:
    """Yields what a server may take from others."""
    if processes_are_bound or groups.limits_memory:
        yield Reach("processes without end", "no", f"{PROCESSES} at most")
    else:
        yield Reach("processes without end", "yes", "nothing counts them: no control groups, or root without them")
    if groups.limits_memory:
        yield Reach("memory beyond `memory_mb`", "no", "a control group counts that of all its processes together")
    else:
        instead = "the container's limits are for all" if in_container() else "infra/systemd has a service that may"
        missing = f"no control groups may be made here: {instead}"
        yield Reach("memory beyond `memory_mb`", "yes", f"each process has so much; {missing}")
    if groups.shares_processor:
        yield Reach("the processor while others need it", "its share", "control groups share it equally")
    else:
        yield Reach("the processor while others need it", "yes", "as any program")


def _shares_of_others() -> Iterator[Reach]:
    reason = "limits are for its mistakes: one that is hostile gets around them"
    for what in ("processes without end", "memory beyond `memory_mb`", "the processor while others need it"):
        yield Reach(what, "yes", reason)


def _own_files() -> Iterator[Reach]:
    """Yields what a server reaches that has a user of its own."""
    yield Reach("temporary files of other programs", "no", "it has a user of its own; but those that are open to all")
    yield Reach("other files of this user", "no", "it has a user of its own; but what all users may read")


def _shared_files(*, is_root: bool) -> Iterator[Reach]:
    yield Reach("temporary files of other programs", "yes", "as by hand; the platform keeps none there")
    own = "it runs as this user"
    if is_root:
        own = "it runs as root, who may change all: `homeport platform start --isolate users` gives it another user"
    yield Reach("other files of this user", "yes", own)


def _always() -> Iterator[Reach]:
    yield Reach("the network, and every port of this machine", "yes", "servers call others")
    yield Reach("core dumps with its secrets", "no", "switched off")
