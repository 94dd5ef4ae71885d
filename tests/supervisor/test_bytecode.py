"""Tests that a layer's bytecode is compiled beside everything else, once, and no longer than its platform lives."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from platform_cli.supervisor import bytecode
from platform_cli.supervisor.bytecode import Bytecode

from .releases import release_of

DEADLINE_S = 60


async def until_compiled(file: Path) -> None:
    compiled = file.parent / "__pycache__" / f"{file.stem}.{sys.implementation.cache_tag}.pyc"
    async with asyncio.timeout(DEADLINE_S):
        while not compiled.exists():
            await asyncio.sleep(0.01)


def test_every_module_is_compiled_but_what_is_not_python(tmp_path: Path) -> None:
    release = release_of(tmp_path, ())
    (release.layer / "broken.py").write_text("def")
    (release.layer / "package").mkdir()
    (release.layer / "package" / "module.py").write_text("")

    async def compile_twice() -> None:
        compiling = Bytecode()
        compiling.compile(release)
        compiling.compile(release)
        await until_compiled(release.layer / "quiet.py")
        await until_compiled(release.layer / "package" / "module.py")
        await compiling.close()

    asyncio.run(compile_twice())
    assert not list(release.layer.glob("__pycache__/broken.*"))


def test_closing_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import os, sys, time; open(f'{sys.argv[1]}/begun-{os.getpid()}', 'w'); time.sleep(600)"
    monkeypatch.setattr(bytecode, "SCRIPT", script)
    release = release_of(tmp_path, ())

    async def close_early() -> int:
        compiling = Bytecode()
        compiling.compile(release)
        async with asyncio.timeout(DEADLINE_S):
            while not (begun := list(release.layer.glob("begun-*"))):
                await asyncio.sleep(0.01)
            await compiling.close()
        return int(begun[0].name.partition("-")[2])

    pid = asyncio.run(close_early())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
