"""Which releases are forked, and zygotes that do not do what they should."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from platform_cli.errors import ReleaseError
from platform_cli.supervisor import zygote as module
from platform_cli.supervisor.launch import PlainLauncher
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.zygote import SPARE, Zygote, Zygotes, forkable, key_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zygotes are for Linux")


def release(
    layer: str = "layer", environment: Mapping[str, str] | None = None, *, cold: bool = True
) -> RunnableRelease:
    """With what the supervisor asks of a release here; the rest is not looked at."""
    known = {
        "project": "tiny",
        "layer": Path(layer),
        "interpreter": Path(sys.executable),
        "runtime": Path("runtime"),
        "environment": environment or {},
        "modules": ("fastmcp.server", "numpy"),
        "cold_start_optimization": cold,
    }
    return RunnableRelease(**{field.name: known.get(field.name) for field in fields(RunnableRelease)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"API_KEY": "x"}, True),
        ({"FASTMCP_LOG_LEVEL": "DEBUG"}, False),
        ({"NUMPY_EXPERIMENTAL": "1"}, False),
        ({"OMP_NUM_THREADS": "1"}, False),
        ({"PYTHONHASHSEED": "0"}, False),
        ({"LD_PRELOAD": "x.so"}, False),
    ],
)
def test_variables_that_libraries_read_on_import(environment: dict[str, str], expected: bool) -> None:
    made = release(environment=environment)
    assert forkable(made, made.modules) is expected


def test_cold_start_optimization_can_be_switched_off() -> None:
    made = release(cold=False)
    assert not forkable(made, made.modules)


class Process:
    """As much of a process as a zygote's handle uses."""

    def __init__(self) -> None:
        self.returncode: int | None = None

    def kill(self) -> None:
        self.returncode = -9


Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


async def started(answer: Answer) -> tuple[Zygote, asyncio.Task[None]]:
    """A zygote whose other end is `answer`."""
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

        async def start(_key: object, _log: int) -> Zygote:
            return zygote

        monkeypatch.setattr(module.Zygote, "start", start)
        zygotes = Zygotes(tmp_path / "log")
        assert isinstance(await zygotes.launcher(release()), PlainLauncher)
        assert isinstance(await zygotes.launcher(release()), PlainLauncher)
        await finish(zygote, serving)

    asyncio.run(run())


def test_the_answer_of_an_interrupted_order_is_not_the_next_ones() -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def answer(order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "load":
            reached.set()
            await go.wait()
            return {"event": "loaded", "modules": 1, "threads": 1, "offender": None}
        return {"event": "forked", "pid": 42}

    async def run() -> None:
        zygote, serving = await started(answer)
        loading = asyncio.create_task(zygote.load(Path("layer"), ["fastmcp"], []))
        await reached.wait()
        loading.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        with pytest.raises(asyncio.CancelledError):
            await loading
        assert (await zygote._order({"do": "fork"}, (), 10))["pid"] == 42
        await finish(zygote, serving)

    asyncio.run(run())


def test_a_zygote_that_ended_fails_its_order_and_is_not_used_again() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        zygote = Zygote(cast(Any, Process()), ours)
        theirs.close()
        with pytest.raises(ReleaseError, match="zygote"):
            await zygote._order({"do": "fork"}, (), 10)
        assert (zygote.alive, zygote.usable) == (False, False)

    asyncio.run(run())


def test_keep_ends_the_oldest_that_nobody_uses(tmp_path: Path) -> None:
    class Spare:
        def __init__(self, last_used: float) -> None:
            self.last_used, self.closed = last_used, False

        def close(self) -> None:
            self.closed = True

    zygotes = Zygotes(tmp_path / "log")
    made = [release(f"layer-{number}") for number in range(SPARE + 3)]
    spares = [Spare(number) for number in range(len(made))]
    zygotes._zygotes = {key_of(each): cast(Any, spare) for each, spare in zip(made, spares, strict=True)}
    zygotes.keep([made[0]])
    assert [spare.closed for spare in spares] == [False, True, True, *[False] * SPARE]
