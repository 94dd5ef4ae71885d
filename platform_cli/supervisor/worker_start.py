"""Starts worker processes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .container_spec import CALLS_INSIDE
from .jobs import told
from .launch import Launcher
from .open_calls import OpenCalls
from .ownership import own
from .release import RunnableRelease
from .room import shown, worker_room
from .worker import Worker
from .worker_output import LineSink


async def start_worker(
    launcher: Launcher,
    release: RunnableRelease,
    job: Mapping[str, Any],
    *,
    sockets: Sequence[socket.socket],
    sink: LineSink,
    calls: OpenCalls | None = None,
    windows: Path | None = None,
) -> Worker:
    """Starts a process for `job`, which is STARTING when this returns; it keeps its open calls in `calls`, and counts
    calls under [limits] in the file `windows`.
    """
    room = worker_room(release, Path(job["workdir"]), compiles=job["mode"] == "inspect")
    await own(room.writable, release.user)
    files = {"calls": calls.path if calls is not None else None, "windows": windows}
    inside = {**files, "calls": _seen(calls, release)}
    job = {**job, **told(room), **{name: str(path) if path is not None else None for name, path in inside.items()}}
    with contextlib.ExitStack() as opened:
        if calls is not None:
            opened.callback(calls.close)
        seen = [*shown(room), *filter(None, files.values())] if room.hidden else []
        worker = Worker(release, await launcher.launch(release, sockets, seen), calls)
        try:
            await worker.open(job["secrets"], sink)
            worker.tell(**job)
        except BaseException:
            worker.kill()
            raise
        opened.pop_all()
    return worker


def _seen(calls: OpenCalls | None, release: RunnableRelease) -> Path | None:
    """Returns where the worker finds the file of its open calls."""
    if calls is None or release.container is None:
        return calls.path if calls is not None else None
    return Path(CALLS_INSIDE, calls.path.name)
