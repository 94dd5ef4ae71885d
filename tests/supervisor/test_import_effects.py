"""Tests what a zygote finds of its layer when it loads it: threads that stay, and variables that were looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.errors import InspectError
from platform_cli.supervisor.import_effects import read_effects
from platform_cli.supervisor.inspection import inspect_release
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.zygote import Zygote
from platform_cli.supervisor.zygotes import Zygotes

from .releases import release_of, release_with


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


def test_what_would_go_on_without_the_module_is_left_out_too(tmp_path: Path) -> None:
    """In a worker it must find the module that it can do without."""
    release = release_of(tmp_path, ("choosy", "quiet"))
    says = "print('loaded', sorted({'choosy', 'quiet'} & {*sys.modules}), file=sys.stderr)"
    (release.layer / "reporter.py").write_text(f"import sys\n{says}\n")
    release = replace(release, modules=("choosy", "quiet", "reporter"))
    assert asyncio.run(zygote_of(release, tmp_path / "log"))
    assert (tmp_path / "log").read_text().splitlines()[-1] == "loaded ['quiet']"


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


@pytest.mark.parametrize("value", ["3", "5"])
def test_a_forked_worker_has_what_its_modules_found(tmp_path: Path, value: str) -> None:
    """As in a process of its own, where variables are there before the first import."""

    async def run() -> None:
        zygotes = Zygotes(tmp_path / "log")
        release = release_with(
            tmp_path, "import reader\nraise LookupError(reader.LEVEL)\n", ("reader",), READ_LEVEL=value
        )
        try:
            assert await zygotes.prepare(release)
            await inspect_release(zygotes, release)
        finally:
            await zygotes.close()

    with pytest.raises(InspectError, match=f"LookupError: {value}"):
        asyncio.run(run())
