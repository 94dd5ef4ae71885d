"""A library that starts threads is left out of its layer's zygote; everything else is still prepared."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import homeport_runtime
from platform_cli.build.runtime import store_runtime
from platform_cli.supervisor.launch import PlainLauncher
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.zygote import Zygote, Zygotes, read_unforkable

THREADED = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


def release_of(tmp_path: Path, modules: tuple[str, ...], **environment: str) -> RunnableRelease:
    layer = tmp_path / "layers" / "layer"
    layer.mkdir(parents=True, exist_ok=True)
    (layer / "quiet.py").write_text("")
    (layer / "busy.py").write_text(THREADED)
    (layer / "outer.py").write_text("import quiet\nimport busy\n")
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


async def launcher_of(release: RunnableRelease, log: Path) -> object:
    zygotes = Zygotes(log)
    try:
        return await zygotes.launcher(release)
    finally:
        await zygotes.close()


def test_the_module_that_starts_a_thread_is_found_and_left_out(tmp_path: Path) -> None:
    release = release_of(tmp_path, ("outer", "quiet", "json"))
    assert isinstance(asyncio.run(launcher_of(release, tmp_path / "log")), Zygote)
    assert read_unforkable(release.layer) == ["busy"]
    # The next time it is known.
    assert isinstance(asyncio.run(launcher_of(release, tmp_path / "log")), Zygote)


def test_a_variable_for_an_imported_package_wants_a_plain_process(tmp_path: Path) -> None:
    release = release_of(tmp_path, ("quiet",), QUIET_LEVEL="3")
    assert isinstance(asyncio.run(launcher_of(release, tmp_path / "log")), PlainLauncher)
