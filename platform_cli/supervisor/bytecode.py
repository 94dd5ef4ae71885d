"""Compiles the bytecode of whole layers in the background: a deploy only waits for that of what its server imports."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from homeport_runtime.loading.environment import QUIET

from .launch import PYTHON_FLAGS
from .release import RunnableRelease

# The process ends, between two files, when its platform has ended.
SCRIPT = """
import compileall, os, pathlib, sys
platform = os.getppid()
os.nice(19)
os.umask(0o022)
for file in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    if os.getppid() != platform:
        break
    compileall.compile_file(file, quiet=2)
"""


class Bytecode:
    """Runs one process at a time, with the lowest priority."""

    def __init__(self) -> None:
        self._seen: set[Path] = set()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def compile(self, release: RunnableRelease) -> None:
        """Starts compiling all modules of the release's layer, once in a platform's life."""
        if release.layer not in self._seen:
            self._seen.add(release.layer)
            task = asyncio.ensure_future(self._run(release))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, release: RunnableRelease) -> None:
        async with self._turn:
            silent = asyncio.subprocess.DEVNULL
            try:
                process = await asyncio.create_subprocess_exec(
                    str(release.interpreter), *PYTHON_FLAGS, "-c", SCRIPT, str(release.layer),
                    stdin=silent, stdout=silent, stderr=silent, start_new_session=True, cwd="/", env=QUIET,
                )  # fmt: skip
            except OSError:
                # Modules are then compiled when they are first imported.
                return
            try:
                await process.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
                raise

    async def close(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
