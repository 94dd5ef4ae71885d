"""Makes the first order to a worker: what to load, and whether to serve or to
inspect it (homeport_runtime.hosts.job).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport_runtime.guard.access import Access
from homeport_runtime.guard.judge import reading_tools
from homeport_runtime.hosts.confinement import Room

from .release import INSIDE, RunnableRelease
from .room import own_caches

# Is the hash of no token; runtimes of earlier versions would let everyone call without one.
NOBODYS = "none"


def serving_job(release: RunnableRelease, workdir: Path, state_key: str, *, proven: bool) -> dict[str, Any]:
    """Returns the job of a serving worker, which need not warm up if another worker of its release has done so
    (`proven`).
    """
    alone = release.max_workers == 1 and release.min_workers <= 1
    tools = release.tools if proven else None
    serving = {"mode": "serve", "state_key": state_key, "alone": alone, "tools": tools, "operations": True}
    if (audit := release.audited) is not None:
        serving["audit"] = {"arguments": audit.arguments, "redact": list(audit.redact)}
    return {**_job(release, workdir), **serving, **_callers(release.access), "reads": reading_tools(release.tools)}


def _callers(access: Access | None) -> dict[str, Any]:
    """Returns who may call, also as runtimes of earlier versions understand it: these know only tokens with every
    scope that never expire.
    """
    if access is None:
        return {"access": None, "token_hash": None}
    lasting = [each.hash for each in access.tokens if each.scopes is None and each.expires_at is None]
    return {"access": access.to_data(), "token_hash": ",".join(lasting) or NOBODYS}


def inspection_job(release: RunnableRelease, workdir: Path, *, record: bool = False) -> dict[str, Any]:
    """Returns the job of an inspection, with `record` including the discovery (homeport_runtime.protocol.discovery)."""
    return {**_job(release, workdir), "mode": "inspect", "alone": True, "record": record}


def _job(release: RunnableRelease, workdir: Path) -> dict[str, Any]:
    secrets = release.secrets()
    places = {"bundle": release.bundle, "workdir": workdir, "layer": release.layer}
    environment = release.worker_environment(secrets)
    if release.container is not None:
        places = {"bundle": INSIDE.bundle, "workdir": INSIDE.work, "layer": INSIDE.layer}
    if release.hidden or release.container is not None:
        environment = {**own_caches(places["workdir"]), **environment}
    return {
        **{name: str(place) for name, place in places.items()},
        "manifest": release.manifest,
        "environment": environment,
        "secrets": secrets,
        "names": list(release.domains),
        "idle_s": release.idle_s,
    }


def told(room: Room) -> dict[str, Any]:
    """Returns the part of a job that says what the worker sees."""
    named = {"hidden": room.hidden, "writable": room.writable, "protected": room.read_only}
    texts: dict[str, Any] = {name: [str(folder) for folder in folders] for name, folders in named.items()}
    if room.by_landlock:
        return {"landlock": texts}
    return {**texts, "user": room.user, "home": str(room.home) if room.home is not None else None}
