"""Tests how many workers run: what `min` keeps, what load brings and ends, and what a crash loop waits for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from platform_cli.supervisor import liveness, scaling
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.service import Service

from .releases import release_of
from .stand_ins import StandIn, StandIns, serving, until

Work = Callable[[Service, StandIns], Awaitable[None]]


# Stand-ins give no sign of life.
NEVER_S = 3600.0


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    monkeypatch.setattr(liveness, "LOOK_S", NEVER_S)

    def run_work(work: Work) -> None:
        async def whole() -> None:
            workers = StandIns()
            async with serving(tmp_path, workers) as service:
                await work(service, workers)

        asyncio.run(whole())

    return run_work


@pytest.fixture
def release(tmp_path: Path) -> RunnableRelease:
    (tmp_path / "app").mkdir()
    return replace(release_of(tmp_path, ()), max_workers=3, concurrency=2)


def has_workers(service: Service, count: int) -> bool:
    return service.workers == count


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets load count from the moment it is told."""
    monkeypatch.setattr(scaling, "SCALE_OUT_S", 0.0)
    monkeypatch.setattr(scaling, "SCALE_IN_S", 0.0)


async def heard(service: Service, worker: StandIn, requests: int) -> None:
    """Returns when the supervisor knows that `worker` has so many open requests."""
    handle = next(each for each in service._crew.running if each.pid == worker.process.pid)
    before = handle.pulse._beats
    worker.say("load", open=requests)
    await until(lambda: handle.pulse._beats > before)


def test_a_request_starts_a_worker_and_idleness_ends_it(run: Callable[[Work], None], release: RunnableRelease) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        await service.resume(release)
        assert (service.state, workers.all) == ("idle", [])
        with socket.create_connection(("127.0.0.1", service.port)):
            await until(lambda: service.state == "running")
            # Nobody accepts the connection: it would start the next one.
        (worker,) = workers.all
        service._entrance.give_up_sockets()
        worker.say("idle")
        await until(lambda: worker.told[-1] == "hand_over")

    run(work)


def test_workers_that_min_keeps_start_by_themselves_and_stay_when_nobody_calls(
    run: Callable[[Work], None], release: RunnableRelease
) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        await service.resume(replace(release, min_workers=2))
        await until(lambda: service.workers == 2)
        for worker in workers.all:
            worker.say("idle")
            # The supervisor has handled the idleness when it has heard of this request.
            await heard(service, worker, 1)
        assert [worker.told for worker in workers.all] == [["job", "accept", "share"], ["job", "accept"]]
        workers.all[0].end()
        await until(lambda: len(workers.all) == 3 and service.workers == 2)

    run(work)


def test_what_runs_beyond_min_goes_when_nobody_needs_it(run: Callable[[Work], None], release: RunnableRelease) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        await service.resume(replace(release, min_workers=2))
        await until(lambda: service.workers == 2)
        for handle in service._crew.serving:
            handle.release = replace(release, min_workers=1)
        first, second = workers.all
        first.say("idle")
        await until(lambda: first.told[-1] == "hand_over")
        second.say("idle")
        await heard(service, second, 1)
        assert second.told[-1] == "accept"

    run(work)


def test_more_requests_than_workers_may_have_start_another_up_to_max(
    run: Callable[[Work], None], release: RunnableRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)

    async def work(service: Service, workers: StandIns) -> None:
        await service.resume(replace(release, min_workers=1))
        await until(lambda: service.state == "running")
        for count in (1, 2):
            await heard(service, workers.all[0], count * 2)
            assert service.workers == count
            await heard(service, workers.all[0], count * 2 + 1)
            await until(partial(has_workers, service, count + 1))
        await heard(service, workers.all[0], 100)
        async with service._scaling.lock:
            assert len(workers.all) == 3

    run(work)


def test_with_few_requests_for_long_the_newest_worker_goes_but_never_the_last(
    run: Callable[[Work], None], release: RunnableRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        await service.resume(replace(release, min_workers=3))
        await until(lambda: service.workers == 3)
        service.release = replace(release, min_workers=0)
        first, second, third = workers.all
        at_once(monkeypatch)
        # That is half of the requests that two workers may have.
        await heard(service, first, 3)
        assert service.workers == 3
        await heard(service, first, 2)
        await until(lambda: service.workers == 2)
        assert third.told[-1] == "hand_over"
        await heard(service, first, 1)
        await until(lambda: service.workers == 1)
        assert second.told[-1] == "hand_over"
        await heard(service, first, 0)
        assert "hand_over" not in first.told

    run(work)


def test_none_goes_while_another_gives_no_sign_of_life(
    run: Callable[[Work], None], release: RunnableRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        await service.resume(replace(release, min_workers=2))
        await until(lambda: service.workers == 2)
        service.release = replace(release, min_workers=0)
        service._crew.serving[1].pulse.is_silent = True
        at_once(monkeypatch)
        await heard(service, workers.all[0], 0)
        assert len(service._crew.serving) == 2

    run(work)


@pytest.mark.parametrize("most", [1, 2])
def test_another_worker_helps_one_that_gives_no_sign_of_life_where_there_may_be_more(
    run: Callable[[Work], None], release: RunnableRelease, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        monkeypatch.setattr(liveness, "LOOK_S", 0.01)
        monkeypatch.setattr(scaling, "NOTICED_S", 0.01)
        await service.resume(replace(release, min_workers=1, max_workers=most))
        await until(lambda: service.workers == most and all(each.pulse.is_silent for each in service._crew.serving))
        async with service._scaling.lock:
            assert len(workers.all) == most

    run(work)


def test_a_crash_loop_waits_longer_before_each_start(
    run: Callable[[Work], None], release: RunnableRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def no_sleep(seconds: float) -> None:
        if 1 <= seconds < NEVER_S:
            waits.append(seconds)
            seconds = 0
        await sleep(seconds)

    async def work(service: Service, workers: StandIns) -> None:
        workers.crashes = True
        monkeypatch.setattr("asyncio.sleep", no_sleep)
        await service.resume(replace(release, min_workers=1))
        await until(lambda: 8 in waits)
        assert service.state in ("failing", "running")
        assert service.last_error == "the worker ended by itself (killed by SIGTERM)"
        assert list(dict.fromkeys(waits))[:4] == [1, 2, 4, 8]
        workers.crashes = False
        await until(lambda: service.state == "running" and not workers.all[-1].crashes)

    run(work)


def test_a_start_that_fails_is_tried_again_with_the_next_request(
    run: Callable[[Work], None], release: RunnableRelease
) -> None:
    async def work(service: Service, workers: StandIns) -> None:
        reasons = iter(["no database", None])
        workers.fails[1] = lambda: next(reasons)
        await service.resume(release)
        with socket.create_connection(("127.0.0.1", service.port)):
            await until(lambda: service.last_error == "no database")
            # The connection still waits, and is the next request.
            await until(lambda: service.state == "running")
        assert len(workers.all) == 2

    run(work)
