"""inspect: the server is loaded once, in a process of its own, and says what it offers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

from ..errors import HomeportError, InspectError
from ..supervisor.release import RunnableRelease
from ..supervisor.workdir import WorkDir
from ..supervisor.worker import START_GRACE_S, inspection_job, start_worker
from .model import Inspection

# Lines of a server's output that are shown when it ends without a reason.
SHOWN_LINES = 15


def inspect_bundle(release: RunnableRelease) -> Inspection:
    """Raises InspectError with the server's own reason. Its working folder is a scratch one, with the app's files."""
    scratch = Path(tempfile.mkdtemp(prefix="homeport-inspect-"))
    try:
        return asyncio.run(_inspect(release, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def _inspect(release: RunnableRelease, scratch: Path) -> Inspection:
    printed: deque[str] = deque(maxlen=SHOWN_LINES)
    workdir = WorkDir(scratch)
    workdir.place(release.bundle / "app", release.files)
    worker = await start_worker(
        release,
        inspection_job(release, workdir.path),
        listener=None,
        sink=lambda line, _level, _pid: printed.append(line.decode("utf-8", "replace").rstrip()),
    )
    try:
        answer = await worker.expect("inspected", release.start_timeout_s + START_GRACE_S)
    except InspectError:
        raise
    except HomeportError as error:
        await worker.gone.wait()
        raise InspectError(
            "\n".join(["the server's process ended while it was loaded " + f"({worker.exit_reason()})", *printed]),
            hint="run the file with the same requirements to see it end here too",
        ) from error
    finally:
        worker.kill()
        await worker.gone.wait()
    return _read(answer)


def _read(answer: dict[str, Any]) -> Inspection:
    return Inspection(
        kind=answer["kind"],
        object=answer["object"],
        contract=answer["contract"],
        modules=tuple(answer["modules"]),
        packages=tuple((entry["package"], entry["seconds"]) for entry in answer["packages"]),
        seconds=answer["seconds"],
    )
