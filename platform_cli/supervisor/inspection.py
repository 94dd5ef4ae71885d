"""A server loaded once to hear what it offers: a worker that serves nobody."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

from ..errors import InspectError, ReleaseError
from .launch import Launcher
from .logbook import text_of
from .release import RunnableRelease
from .workdir import WorkDir
from .worker import START_GRACE_S, inspection_job, start_worker

# Lines of a server's output that are shown when it ends without a reason.
SHOWN_LINES = 15


async def inspect_release(launcher: Launcher, release: RunnableRelease, *, record: bool = False) -> dict[str, Any]:
    """What the worker reported, in a scratch folder. Raises InspectError with the server's own reason, or with the
    last it printed.
    """
    scratch = Path(tempfile.mkdtemp(prefix="homeport-inspect-"))
    try:
        workdir = WorkDir(scratch)
        workdir.place(release.bundle / "app", release.files, release.folders)
        return await inspect_in(workdir.path, launcher, release, record=record)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def inspect_in(
    workdir: Path, launcher: Launcher, release: RunnableRelease, *, record: bool = False
) -> dict[str, Any]:
    """As `inspect_release`, in a working folder that is there."""
    printed: deque[str] = deque(maxlen=SHOWN_LINES)
    worker = await start_worker(
        launcher,
        release,
        inspection_job(release, workdir, record=record),
        sockets=(),
        sink=lambda line, _level, _pid: printed.append(text_of(line)),
    )
    try:
        return await worker.expect("inspected", release.start_timeout_s + START_GRACE_S)
    except ReleaseError as error:
        await worker.gone.wait()
        reason = f"the server's process ended while it was loaded ({worker.exit_reason()})"
        raise InspectError(
            "\n".join([reason, *printed]),
            hint="its last words are above; --env KEY=VALUE gives it a variable, include in fastmcp.toml a file",
        ) from error
    finally:
        worker.kill()
        await worker.gone.wait()
