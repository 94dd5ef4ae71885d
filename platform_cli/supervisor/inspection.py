"""A server loaded once to hear what it offers: a worker that serves nobody."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..api.inspection import Inspected
from ..errors import InspectError, ReleaseError
from ..temporary import temporary_folder
from .jobs import inspection_job
from .launch import Launcher
from .release import RunnableRelease
from .workdir import WorkDir
from .worker import START_GRACE_S, start_worker


async def inspect_release(launcher: Launcher, release: RunnableRelease, *, record: bool = False) -> Inspected:
    """What the worker reported, in a scratch folder. Raises InspectError with the server's own reason, or with the
    last it printed.
    """
    with temporary_folder("inspect") as scratch:
        workdir = WorkDir(scratch)
        workdir.place(release.bundle / "app", release.files, release.folders)
        try:
            return await inspect_in(workdir.path, launcher, release, record=record)
        finally:
            # The server may have left more there than is removed in a moment.
            await asyncio.to_thread(shutil.rmtree, workdir.path, ignore_errors=True)


async def inspect_in(workdir: Path, launcher: Launcher, release: RunnableRelease, *, record: bool = False) -> Inspected:
    """As `inspect_release`, in a working folder that is there."""
    worker = await start_worker(
        launcher, release, inspection_job(release, workdir, record=record), sockets=(), sink=lambda *_: None
    )
    try:
        return _inspected(await worker.expect("inspected", release.start_timeout_s + START_GRACE_S))
    except ReleaseError as error:
        hint = "give it what it needs: arguments behind `--`, variables by --env or set-secret, files by include"
        raise InspectError(error.message, hint=hint) from error
    finally:
        worker.kill()
        await worker.gone.wait()


def _inspected(said: Mapping[str, Any]) -> Inspected:
    """What the worker said and nothing else, since the server may have put more into the message."""
    return {
        "kind": said["kind"],
        "object": said["object"],
        # An older runtime does not say.
        "chosen": said.get("chosen", ""),
        "contract": said["contract"],
        "modules": list(said["modules"]),
        "packages": [{"package": each["package"], "seconds": each["seconds"]} for each in said["packages"]],
        "seconds": said["seconds"],
        "discovery": said.get("discovery"),
    }
