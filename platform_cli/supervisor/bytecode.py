"""Bytecode of whole layers, compiled beside what is going on: a deploy waits for what its server imports, no more."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from homeport_runtime.loading.environment import QUIET

from .launch import PYTHON_FLAGS
from .release import RunnableRelease

# Ends between two files when its platform is gone.
SCRIPT = """
import compileall, os, pathlib, sys
platform = os.getppid()
os.nice(19)
for file in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    if os.getppid() != platform:
        break
    compileall.compile_file(file, quiet=2)
"""


class Bytecode:
    """One process at a time, of the lowest priority."""

    def __init__(self) -> None:
        self._seen: set[Path] = set()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def compile(self, release: RunnableRelease) -> None:
        """Sees to it that all modules of the release's layer are compiled in a while, once in a platform's life."""
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
                # Without it modules are compiled when they are first imported.
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
