"""Tests which releases are forked, and zygotes that do not do what they should."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from platform_cli.supervisor.import_effects import ImportEffects
from platform_cli.supervisor.launch import Launched, PlainLauncher
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.zygote import Child, Zygote, ZygoteEnded
from platform_cli.supervisor.zygote_key import ZygoteKey, forkable, key_of
from platform_cli.supervisor.zygote_messages import read_message
from platform_cli.supervisor.zygotes import SPARE, Zygotes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zygotes are for Linux")


@pytest.fixture(autouse=True)
def _layers_are_in_a_folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts layers into a folder of the test, since what is learned of a layer is written beside it."""
    monkeypatch.chdir(tmp_path)


def release(
    layer: str = "layer", environment: Mapping[str, str] | None = None, *, cold: bool = True
) -> RunnableRelease:
    """Returns a release with what the supervisor asks of it here; the rest is not looked at."""
    known = {
        "project": "tiny",
        "manifest": {"memory_mb": 4096},
        "layer": Path(layer),
        "interpreter": Path(sys.executable),
        "runtime": Path("runtime"),
        "environment": environment or {},
        "modules": ("fastmcp.server", "numpy"),
        "cold_start_optimization": cold,
    }
    return RunnableRelease(**{field.name: known.get(field.name) for field in fields(RunnableRelease)})  # type: ignore[arg-type]


def key(layer: str = "layer") -> ZygoteKey:
    """Returns the key of a release of this layer without variables of its own."""
    made = key_of(release(layer), ImportEffects())
    assert made is not None
    return made


def test_a_variable_that_modules_look_at_is_part_of_the_key() -> None:
    effects = ImportEffects(names=("HF_HOME",), packages=("fastmcp",))
    made = release(environment={"HF_HOME": "/models", "API_KEY": "x", "FASTMCP_LOG_LEVEL": "DEBUG"})
    own = key_of(made, effects)
    assert own is not None
    assert own.variables == (("FASTMCP_LOG_LEVEL", "DEBUG"), ("HF_HOME", "/models"))
    assert own.shared == key_of(made, ImportEffects()) == key()


def test_no_zygote_sees_a_secret() -> None:
    made = release(environment={"HF_TOKEN": "${secrets.TOKEN}"})
    assert key_of(made, ImportEffects(names=("HF_TOKEN",))) is None
    assert key_of(made, ImportEffects()) == key()


def test_cold_start_optimization_can_be_switched_off() -> None:
    assert forkable(release())
    assert not forkable(release(cold=False))


class Process:
    """As much of a process as a zygote's handle uses."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.pid = os.getppid()

    def kill(self) -> None:
        self.returncode = -9


class Spare:
    """Is a zygote that nobody waits for."""

    def __init__(self, last_used: float) -> None:
        self.last_used, self.closed = last_used, False

    def close(self) -> None:
        self.closed = True


Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def started(answer: Answer) -> tuple[Zygote, asyncio.Task[None]]:
    """Starts a zygote whose other end is `answer`."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=theirs)

    async def serve() -> None:
        while line := await reader.readline():
            writer.write(json.dumps(await answer(json.loads(line))).encode() + b"\n")
        writer.close()

    return Zygote(cast(Any, Process()), ours), asyncio.create_task(serve())


async def finish(zygote: Zygote, serving: asyncio.Task[None]) -> None:
    zygote.close()
    await serving


def test_threads_that_no_module_explains_mean_a_plain_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def answer(_order: dict[str, Any]) -> dict[str, Any]:
        return {"event": "loaded", "modules": 1, "threads": 2, "offender": None}

    async def run() -> None:
        zygote, serving = await started(answer)

        async def start(_key: object, _log: int, _room: object) -> Zygote:
            return zygote

        monkeypatch.setattr(Zygote, "start", start)
        zygotes = Zygotes(tmp_path / "log")
        assert await zygotes.prepare(release()) is None
        assert await zygotes.prepare(release()) is None
        await finish(zygote, serving)

    asyncio.run(run())


def load_that_waits(reached: asyncio.Event, go: asyncio.Event) -> Answer:
    """Answers as a zygote whose modules are loaded no sooner than `go`; `reached` is set when it begins."""

    async def answer(order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "load":
            reached.set()
            await go.wait()
            return {"event": "loaded", "modules": 1, "threads": 1, "offender": None}
        return {"event": "forked", "pid": os.getpid()}

    return answer


def test_the_answer_of_an_interrupted_order_is_not_the_next_ones() -> None:
    reached, go = asyncio.Event(), asyncio.Event()
    answer = load_that_waits(reached, go)

    async def run() -> None:
        zygote, serving = await started(answer)
        loading = asyncio.create_task(zygote.load(Path("layer"), ["fastmcp"], []))
        await reached.wait()
        loading.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        with pytest.raises(asyncio.CancelledError):
            await loading
        assert (await zygote._order(Child, {"do": "fork"}, (), 10)).pid == os.getpid()
        await finish(zygote, serving)

    asyncio.run(run())


def test_a_process_id_that_comes_again_is_another_childs() -> None:
    """It comes again after 32,768 processes, where that is pid_max: the first child's end is not the second one's."""

    async def run() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=theirs)
        zygote = Zygote(cast(Any, Process()), ours)

        async def fork() -> asyncio.Future[int | None]:
            order = asyncio.create_task(zygote._order(Child, {"do": "fork"}, (), 10))
            await reader.readline()
            writer.write(json.dumps({"event": "forked", "pid": 42}).encode() + b"\n")
            return (await order).ended

        def tell_end(code: int) -> None:
            writer.write(json.dumps({"event": "exited", "pid": 42, "code": code}).encode() + b"\n")

        first = await fork()
        tell_end(0)
        assert await asyncio.wait_for(first, 10) == 0
        second = await fork()
        assert not second.done()
        tell_end(3)
        assert await asyncio.wait_for(second, 10) == 3
        assert not zygote._children, "nothing is kept of those that ended"
        assert zygote.alive
        zygote.close()
        writer.close()

    asyncio.run(run())


def test_a_zygote_that_ended_fails_its_order_and_is_not_used_again() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        zygote = Zygote(cast(Any, Process()), ours)
        theirs.close()
        with pytest.raises(ZygoteEnded):
            await zygote._order(Child, {"do": "fork"}, (), 10)
        assert (zygote.alive, zygote.usable) == (False, False)

    asyncio.run(run())


def test_a_zygote_that_is_closed_answers_whoever_waits_for_it() -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def answer(order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "load":
            reached.set()
            await go.wait()
        return {"event": "forked", "pid": 42}

    async def run() -> None:
        zygote, serving = await started(answer)
        end = (await zygote._order(Child, {"do": "fork"}, (), 10)).ended
        loading = asyncio.create_task(zygote.load(Path("layer"), ["fastmcp"], []))
        await reached.wait()
        zygote.close()
        with pytest.raises(ZygoteEnded):
            await asyncio.wait_for(loading, 10)
        assert await asyncio.wait_for(end, 10) is None
        go.set()
        await serving

    asyncio.run(run())


def test_keep_leaves_a_zygote_alone_that_somebody_waits_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another project is switched while a deploy loads its layer: no release uses that yet."""
    reached, go = asyncio.Event(), asyncio.Event()
    answer = load_that_waits(reached, go)

    async def run() -> None:
        zygote, serving = await started(answer)

        async def start(_key: object, _log: int, _room: object) -> Zygote:
            return zygote

        monkeypatch.setattr(Zygote, "start", start)
        zygotes = Zygotes(tmp_path / "log")
        newer = zygote.last_used + 1
        zygotes._zygotes = {key(f"layer-{i}"): cast(Any, Spare(newer)) for i in range(SPARE)}
        launching = asyncio.create_task(zygotes.launch(release(), (), ()))
        await reached.wait()
        zygotes.keep([])
        assert zygote.alive
        go.set()
        launched = await asyncio.wait_for(launching, 10)
        assert launched.pid == os.getpid()
        launched.control.close()
        for output in (launched.stdout, launched.stderr):
            os.close(output)
        zygotes.keep([])
        assert not zygote.alive
        await finish(zygote, serving)

    asyncio.run(run())


def test_a_zygote_that_ends_while_it_loads_leaves_its_work_to_a_plain_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = Launched(4711, cast(Any, None), -1, -1, cast(Any, None))

    async def run() -> None:
        async def start(_key: object, _log: int, _room: object) -> Zygote:
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            theirs.close()
            return Zygote(cast(Any, Process()), ours)

        async def launch(_self: object, *_arguments: object) -> Launched:
            return plain

        monkeypatch.setattr(Zygote, "start", start)
        monkeypatch.setattr(PlainLauncher, "launch", launch)
        assert await Zygotes(tmp_path / "log").launch(release(), (), ()) == plain

    asyncio.run(run())


def test_keep_ends_the_oldest_that_nobody_uses(tmp_path: Path) -> None:
    zygotes = Zygotes(tmp_path / "log")
    made = [release(f"layer-{number}") for number in range(SPARE + 3)]
    spares = [Spare(number) for number in range(len(made))]
    zygotes._zygotes = {key(str(each.layer)): cast(Any, spare) for each, spare in zip(made, spares, strict=True)}
    zygotes.keep([made[0]])
    assert [spare.closed for spare in spares] == [False, True, True, *[False] * SPARE]


@pytest.mark.parametrize(
    "said",
    [
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"event": "forked", "pid": true}',
        b'{"event": "exited", "pid": 1, "code": "0"}',
        b'{"event": "loaded", "threads": 1, "offender": ["x"]}',
        b'{"event": "loaded", "threads": 1, "offender": null, "names": [["x"]]}',
        b'{"event": "loaded", "threads": 1, "offender": null, "names": ["\\ud800"]}',
        b'{"event": "other"}',
    ],
)
def test_what_no_zygote_says_is_no_message(said: bytes) -> None:
    with pytest.raises(ValueError, match="no message"):
        read_message(said)


@pytest.mark.parametrize("pid", [1, os.getppid(), 2**40])
def test_a_zygote_names_no_process_but_its_own(pid: int) -> None:
    """What it names is signalled one day."""

    async def answer(_order: dict[str, Any]) -> dict[str, Any]:
        return {"event": "forked", "pid": pid}

    async def run() -> None:
        zygote, serving = await started(answer)
        with pytest.raises(ZygoteEnded):
            await zygote.launch(release(), (), ())
        assert not zygote.alive
        await serving

    asyncio.run(run())
