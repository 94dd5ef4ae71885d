from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from platform_cli.controlplane import builds as module
from platform_cli.controlplane.builds import Builds
from platform_cli.controlplane.platform import Platform
from platform_cli.errors import LockError
from platform_cli.pipeline.stages import Stages
from tests.platform_client.test_upload import REGULAR, archive_of

DEADLINE_S = 30.0
DESCRIPTION = {"path": "server.py", "name": "app", "variables": {"KEY": "value"}}
BUILT = SimpleNamespace(bundle=SimpleNamespace(hash="abc", manifest={"contract": None}))


@pytest.fixture
def made(tmp_path: Path) -> Builds:
    async def wants(_project: object) -> bool:
        return False

    containers = SimpleNamespace(wants=wants, packages_for=None)
    return Builds(cast("Platform", SimpleNamespace(home=tmp_path, containers=containers)))


def archive() -> Any:
    return archive_of(("files/server.py", b"mcp = 1\n", REGULAR), description=DESCRIPTION)


async def events_of(builds: Builds) -> list[dict[str, Any]]:
    async with asyncio.timeout(DEADLINE_S):
        return [{**event} async for event in builds.run(archive())]


def until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_happens_is_told(made: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def build(project: Any, _home: Any, stages: Stages, _inspect: Any, note: Any, _packages: Any) -> Any:
        seen.update(project.environment, entrypoint=str(project.entrypoint), folder=project.folder)
        with stages.run("lock") as stage:
            note("a note")
            stage.cached = True
        return BUILT

    monkeypatch.setattr(module, "build", build)
    events = asyncio.run(events_of(made))
    assert [event["event"] for event in events] == ["start", "note", "end", "bundle"]
    assert (events[2]["name"], events[2]["cached"], events[3]["hash"]) == ("lock", True, "abc")
    assert (seen["KEY"], seen["entrypoint"], seen["folder"].name) == ("value", "server.py", "app")
    assert not seen["folder"].exists()


def test_an_error_ends_it(made: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_arguments: Any) -> Any:
        raise LockError("no such package", hint="another one")

    monkeypatch.setattr(module, "build", build)
    expected = {"event": "error", "category": "lock", "message": "no such package", "hint": "another one"}
    assert asyncio.run(events_of(made)) == [expected]


def test_the_unexpected_shows_no_detail(made: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_arguments: Any) -> Any:
        raise ZeroDivisionError("with a secret in it")

    monkeypatch.setattr(module, "build", build)
    (event,) = asyncio.run(events_of(made))
    assert (event["event"], event["category"], "secret" in event["message"]) == ("error", "build", False)


def test_two_at_a_time(made: Builds, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock, go = 0, 0, threading.Lock(), threading.Event()

    def build(*_arguments: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(DEADLINE_S)
        with lock:
            running -= 1
        return BUILT

    async def five() -> list[list[dict[str, Any]]]:
        tasks = [asyncio.create_task(events_of(made)) for _ in range(5)]
        await asyncio.to_thread(until, lambda: running == module.MAX_BUILDS)
        go.set()
        return await asyncio.gather(*tasks)

    monkeypatch.setattr(module, "build", build)
    answers = asyncio.run(five())
    assert most == module.MAX_BUILDS
    assert [events[-1]["event"] for events in answers] == ["bundle"] * 5
    assert sum(events[0]["event"] == "note" for events in answers) == 3


@pytest.mark.parametrize("how", ["left", "late"])
def test_a_build_that_nobody_waits_for_ends(made: Builds, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    ended = threading.Event()

    def build(_project: Any, _home: Any, stages: Stages, *_rest: Any) -> Any:
        try:
            until(lambda: stages.run("again").__enter__() is None)
        finally:
            ended.set()

    async def abandoned() -> list[dict[str, Any]]:
        if how == "late":
            return await events_of(made)
        events = made.run(archive())
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]
        await asyncio.to_thread(ended.wait, DEADLINE_S)
        return []

    monkeypatch.setattr(module, "build", build)
    monkeypatch.setattr(module, "TIME_LIMIT_S", 0.2 if how == "late" else DEADLINE_S)
    events = asyncio.run(abandoned())
    assert ended.is_set()
    if how == "late":
        assert "longer than" in events[-1]["message"]
