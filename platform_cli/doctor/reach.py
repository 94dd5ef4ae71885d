"""Lists what a deployed server can reach on this machine, as `homeport doctor` shows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homeport_runtime.hosts.confinement import can_hide
from homeport_runtime.hosts.limits import PROCESSES


@dataclass(frozen=True, slots=True)
class Reach:
    """Says whether a server can reach something: `reached` is `yes`, `no`, or how far, and `reason` is why."""

    what: str
    reached: str
    reason: str


def reach_here(home: Path) -> tuple[Reach, ...]:
    confined = can_hide(home)
    return tuple(_confined(is_root=os.getuid() == 0) if confined else _open())


def _confined(*, is_root: bool) -> Iterator[Reach]:
    yield Reach("the platform's key, store, logs and socket", "no", "not in its mount namespace")
    yield Reach("other projects: files, secrets, bundles", "no", "not in its mount namespace")
    yield Reach("other processes: signals, memory, names", "no", "not in its PID namespace")
    yield Reach("its bundle and packages, and the platform's code", "reads", "mounted read-only")
    yield Reach("caches that other projects are made of (uv, npm)", "reads", "mounted read-only; it has its own")
    yield Reach("life after its worker", "no", "its PID namespace ends with the worker")
    if is_root:
        yield Reach("kernel settings, disks", "no", "read-only or not there, though the platform runs as root")
        yield Reach("raw packets, ports below 1024", "no", "but with `cold_start_optimization = false`, as root")
        yield Reach("processes without end", "yes", "root is bound by no limit: run the platform as another user")
    else:
        yield Reach("processes without end", "no", f"{PROCESSES} at most")
    yield from _always()


def _open() -> Iterator[Reach]:
    reason = "user namespaces are not allowed" if sys.platform == "linux" else "this system has no namespaces"
    for what in (
        "the platform's key, store and logs",
        "other projects: files, secrets, bundles",
        "other processes: signals",
        "its bundle and packages, and the platform's code",
        "caches that other projects are made of (uv, npm)",
        "life after its worker",
        "processes without end",
    ):
        yield Reach(what, "yes", reason)
    kept = "its processes carry a mark (seccomp)" if sys.platform == "linux" else "only its worker's session is known"
    yield Reach("the platform's socket", "no", kept)
    yield from _always()


def _always() -> Iterator[Reach]:
    yield Reach("temporary files of other programs", "yes", "as by hand; the platform keeps none there")
    yield Reach("other files of this user", "yes", "it runs as this user")
    yield Reach("the network, and every port of this machine", "yes", "servers call others")
    yield Reach("core dumps with its secrets", "no", "switched off")
