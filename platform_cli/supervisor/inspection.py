"""Loads a server once to learn what it offers, in a worker that serves nobody."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

from homeport_runtime.libraries.tried import untried
from homeport_runtime.loading.manifest import APP_FOLDER

from .. import __version__
from ..api.inspection import Inspected, Libraries
from ..errors import InspectError, ReleaseError
from ..temporary import temporary_folder
from .jobs import inspection_job
from .launch import Launcher
from .ownership import take_back
from .release import RunnableRelease
from .workdir import WorkDir
from .worker import START_GRACE_S
from .worker_start import start_worker

# Yields what starts the worker of an inspection, given the folder that its working folder is in.
Launching = Callable[[Path], AbstractAsyncContextManager[Launcher]]


# Gets what an inspected server told of itself, while its process still ends.
Tell = Callable[[Inspected], None]


def _tell_nobody(_found: Inspected) -> None:
    """Does nothing, for those who wait for the end."""


async def inspect_release(
    launcher: Launcher, release: RunnableRelease, *, record: bool = False, tell: Tell = _tell_nobody
) -> Inspected:
    """Inspects a release in a scratch folder, and returns what the worker reported once its process has ended.

    Raises InspectError with the server's own reason, or with the last lines that it printed.
    """
    return await inspect_by(lambda _scratch: nullcontext(launcher), release, record=record, tell=tell)


async def inspect_by(
    launching: Launching, release: RunnableRelease, *, record: bool = False, tell: Tell = _tell_nobody
) -> Inspected:
    """Inspects a release as `inspect_release` does, with a launcher that is made for its scratch folder."""
    with temporary_folder("inspect") as scratch:
        workdir = WorkDir(scratch)
        workdir.place(release.bundle / APP_FOLDER, release.files, release.folders)
        try:
            async with launching(scratch) as launcher:
                return await inspect_in(workdir.path, launcher, release, record=record, tell=tell)
        finally:
            # The server may have left more than can be removed in a moment.
            await asyncio.to_thread(shutil.rmtree, workdir.path, ignore_errors=True)


async def inspect_in(
    workdir: Path, launcher: Launcher, release: RunnableRelease, *, record: bool = False, tell: Tell = _tell_nobody
) -> Inspected:
    """Inspects a release as `inspect_release` does, in an existing working folder."""
    worker = await start_worker(
        launcher, release, inspection_job(release, workdir, record=record), sockets=(), sink=lambda *_: None
    )
    try:
        found = _inspected(await worker.expect("inspected", release.start_timeout_s + START_GRACE_S))
    except InspectError as error:
        raise _with_newer_libraries(error.message, error.hint, release.layer) from error
    except ReleaseError as error:
        hint = "give it what it needs: arguments behind `--`, variables by --env or set-secret, files by include"
        raise _with_newer_libraries(error.message, hint, release.layer) from error
    else:
        worker.kill()
        if release.user is None:
            # What a user of its own has written is taken back before anybody goes on.
            tell(found)
        return found
    finally:
        worker.kill()
        await worker.gone.wait()
        if release.user is not None:
            # The bytecode that it has written is for servers of all users, and none may change it.
            await asyncio.to_thread(take_back, release.bundle / APP_FOLDER)


def _inspected(said: Mapping[str, Any]) -> Inspected:
    """Copies only known keys, since the server may have put others into the message."""
    return {
        "kind": said["kind"],
        "object": said["object"],
        # Runtimes of older versions do not have this key.
        "chosen": said.get("chosen", ""),
        "contract": said["contract"],
        "modules": list(said["modules"]),
        "packages": [{"package": each["package"], "seconds": each["seconds"]} for each in said["packages"]],
        "seconds": said["seconds"],
        "discovery": said.get("discovery"),
        "libraries": _libraries(said.get("libraries", {})),
    }


def _libraries(said: Mapping[str, Any]) -> Libraries:
    """Copies the report about libraries, which runtimes of older versions do not have."""
    return {
        "untried": [{"library": each["library"], "version": each["version"]} for each in said.get("untried", ())],
        "gaps": [
            {"library": each["library"], "part": each["part"], "effect": each["effect"]}
            for each in said.get("gaps", ())
        ],
    }


def _with_newer_libraries(message: str, hint: str | None, layer: Path) -> InspectError:
    """Returns the error with what is newer than homeport was tried with.

    A server that does not start may be right, and built with a library that this homeport does not know yet.
    """
    newer = list(untried(layer))
    message = "\n".join([message, *(each.sentence(__version__) for each in newer)])
    ways = [f"require {', '.join(each.pin for each in newer)}, or upgrade homeport"] if newer else []
    return InspectError(message, hint="; ".join([*ways, *([hint] if hint else [])]) or None)
