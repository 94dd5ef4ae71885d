"""What a zygote finds of its layer when it loads it: threads that stay, and variables that were looked at."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import homeport_runtime
from platform_cli.build.runtime import store_runtime
from platform_cli.supervisor.import_effects import read_effects
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.zygote import Zygote, Zygotes

THREADED = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


def release_of(tmp_path: Path, modules: tuple[str, ...], **environment: str) -> RunnableRelease:
    layer = tmp_path / "layers" / "layer"
    layer.mkdir(parents=True, exist_ok=True)
    (layer / "quiet.py").write_text("")
    (layer / "busy.py").write_text(THREADED)
    (layer / "outer.py").write_text("import quiet\nimport busy\n")
    (layer / "reader.py").write_text("import os\nLEVEL = os.environ.get('READ_LEVEL')\n")
    (layer / "settings.py").write_text("import os\n\ndef read():\n    return dict(os.environ)\n")
    (layer / "thorough.py").write_text("import settings\nsettings.read()\n")
    assert homeport_runtime.__file__
    return RunnableRelease(
        project="p",
        number=1,
        bundle=tmp_path,
        manifest={},
        layer=layer,
        runtime=tmp_path / "runtimes" / store_runtime(tmp_path / "runtimes"),
        interpreter=Path(sys.executable).resolve(),
        environment=environment,
        domains=(),
        idle_s=300,
        min_workers=0,
        max_workers=1,
        concurrency=16,
        start_timeout_s=60,
        files={},
        modules=modules,
        tools=None,
        cold_start_optimization=True,
    )


async def zygote_of(release: RunnableRelease, log: Path) -> Zygote | None:
    zygotes = Zygotes(log)
    try:
        return await zygotes.prepare(release)
    finally:
        await zygotes.close()


def test_the_module_that_starts_a_thread_is_found_and_left_out(tmp_path: Path) -> None:
    release = release_of(tmp_path, ("outer", "quiet", "json"))
    assert asyncio.run(zygote_of(release, tmp_path / "log"))
    assert read_effects(release.layer, release.runtime).unforkable == ("busy",)
    # The next time it is known.
    assert asyncio.run(zygote_of(release, tmp_path / "log"))


def test_variables_that_modules_look_at_are_found(tmp_path: Path) -> None:
    release = release_of(tmp_path, ("reader", "thorough"))
    assert asyncio.run(zygote_of(release, tmp_path / "log"))
    found = read_effects(release.layer, release.runtime)
    assert "READ_LEVEL" in found.names
    assert found.packages == ("settings", "thorough")


@pytest.mark.parametrize("name", ["READ_LEVEL", "THOROUGH_LEVEL", "OMP_NUM_THREADS"])
def test_a_server_that_sets_such_a_variable_has_a_zygote_of_its_own(tmp_path: Path, name: str) -> None:
    async def run() -> None:
        zygotes = Zygotes(tmp_path / "log")
        modules = ("reader", "thorough")
        try:
            other = await zygotes.prepare(release_of(tmp_path, modules, UNRELATED="1"))
            own = await zygotes.prepare(release_of(tmp_path, modules, **{name: "3"}))
            assert own is not None
            assert own is not other
            environment = Path(f"/proc/{own._process.pid}/environ").read_bytes()
            assert f"{name}=3".encode() in environment.split(b"\0")
            assert await zygotes.prepare(release_of(tmp_path, modules, **{name: "${secrets.LEVEL}"})) is None
        finally:
            await zygotes.close()

    asyncio.run(run())
