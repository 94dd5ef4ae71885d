"""Tests one release after another: who serves meanwhile, and who goes on when the new one does not come up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from platform_cli.errors import InspectError
from platform_cli.supervisor import crew
from platform_cli.supervisor.release import RunnableRelease

from .releases import release_of
from .stand_ins import StandIns, has_ended, serving, until


def release(folder: Path, number: int, *, stop_first: bool = False) -> RunnableRelease:
    """Returns a release with one file, which holds its number."""
    bundle = folder / f"bundle-{number}"
    (bundle / "app").mkdir(parents=True)
    (bundle / "app" / "data.txt").write_text(str(number))
    files = {"data.txt": sha256(str(number).encode()).hexdigest()}
    return replace(release_of(folder, ()), number=number, bundle=bundle, files=files, stop_first=stop_first)


def placed(folder: Path) -> str:
    return (folder / "project" / "files" / "data.txt").read_text()


def test_the_new_release_accepts_before_the_old_one_is_told_to_go(tmp_path: Path) -> None:
    async def run() -> None:
        workers = StandIns()
        async with serving(tmp_path, workers) as service:
            await service.activate(release(tmp_path, 1))
            (first,) = workers.all
            told: list[str] = []
            workers.fails[2] = lambda: told.extend(first.told)
            await service.activate(release(tmp_path, 2))
            assert told == ["job", "accept"], "it serves while the new one starts"
            assert first.told == ["job", "accept", "hand_over"]
            assert service.release is not None
            assert (service.release.number, placed(tmp_path)) == (2, "2")
            await service.retired()
            assert [each.release.number for each in workers.running] == [2]

    asyncio.run(run())


def test_a_release_that_does_not_come_up_leaves_the_old_one_serving_with_its_files(tmp_path: Path) -> None:
    async def run() -> None:
        workers = StandIns()
        async with serving(tmp_path, workers) as service:
            await service.activate(release(tmp_path, 1))
            workers.fails[2] = lambda: "no such table"
            with pytest.raises(InspectError, match="no such table"):
                await service.activate(release(tmp_path, 2))
            assert service.release is not None
            assert (service.release.number, service.state, placed(tmp_path)) == (1, "running", "1")
            assert workers.all[0].told == ["job", "accept"]
            assert service.last_error == "no such table"

    asyncio.run(run())


def test_that_the_old_one_lasts_does_not_hide_why_the_new_one_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "SHORT_LIFE_S", 1.0)

    async def run() -> None:
        workers = StandIns()
        async with serving(tmp_path, workers) as service:
            await service.activate(release(tmp_path, 1))
            workers.fails[2] = lambda: "no such table"
            service._health.crashes = 1
            with pytest.raises(InspectError):
                await service.activate(release(tmp_path, 2))
            await until(lambda: service._health.crashes == 0)
            assert service.last_error == "no such table"

    asyncio.run(run())


def test_where_one_alone_can_run_the_old_one_has_ended_before_the_new_one_starts(tmp_path: Path) -> None:
    async def run() -> None:
        workers = StandIns()
        async with serving(tmp_path, workers) as service:
            await service.activate(release(tmp_path, 1))
            running: list[int] = []
            workers.fails[2] = lambda: running.append(len(workers.running))
            await service.activate(release(tmp_path, 2, stop_first=True))
            assert running == [0]
            assert not service.had_to_stop_first, "it was said"

    asyncio.run(run())


def test_a_release_that_fails_as_if_the_old_one_were_in_the_way_is_tried_once_more_without_it(tmp_path: Path) -> None:
    async def run() -> None:
        workers = StandIns()
        async with serving(tmp_path, workers) as service:
            await service.activate(release(tmp_path, 1))
            workers.fails[2] = lambda: "database is locked" if workers.running else None
            await service.activate(release(tmp_path, 2))
            assert service.had_to_stop_first
            assert [each.release.number for each in workers.running] == [2]

    asyncio.run(run())


def test_what_ran_before_a_pause_runs_again_after_it(tmp_path: Path) -> None:
    async def run() -> None:
        workers = StandIns()
        async with serving(tmp_path, workers) as service:
            await service.activate(release(tmp_path, 1))
            async with service.paused():
                assert workers.running == []
            await until(lambda: service.state == "running")

    asyncio.run(run())


def test_what_a_server_has_left_behind_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        workers = StandIns(("sh", "-c", "sleep 3600 & echo $!; wait"))
        async with serving(tmp_path, workers) as service:
            said: list[str] = []
            monkeypatch.setattr(service.log, "write_line", lambda line, **_: said.append(line.decode().strip()))
            await service.activate(release(tmp_path, 1))
            await until(lambda: said)
            child = Path("/proc", said[0])
            assert child.exists()
            workers.all[0].end()
            await until(lambda: has_ended(child))

    asyncio.run(run())
