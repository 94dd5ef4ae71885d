"""Tests that whoever asked for an inspection goes on while the inspected process ends, and who waits for its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from platform_cli.errors import InspectError
from platform_cli.supervisor.inspections import Inspections
from platform_cli.supervisor.launch import Launched
from platform_cli.supervisor.release import RunnableRelease

from .releases import release_with
from .stand_ins import StandIn, StandIns

NOTHING: dict[str, Any] = {"modules": [], "packages": [], "seconds": 0.1}
SAID: dict[str, Any] = {"kind": "k", "object": None, "contract": {"tools": []}, **NOTHING}


class Inspected(StandIn):
    async def serve(self, reader: asyncio.StreamReader) -> None:
        await reader.readline()
        if self.fails:
            self.say("failed", message=self.fails, hint=None, trace="")
        else:
            self.writer.write(json.dumps({"event": "inspected", **SAID}).encode() + b"\n")
        await reader.read()
        self.writer.close()


class Lingering(StandIns):
    """Launches processes of which nobody hears that they have ended before `ended` is set."""

    stand_in = Inspected

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    async def launch(self, release: RunnableRelease, sockets: Sequence[socket], shown: Sequence[Path]) -> Launched:
        launched = await super().launch(release, sockets, shown)
        return replace(launched, ended=self._held(launched))

    async def _held(self, launched: Launched) -> int | None:
        code = await launched.ended
        await self.ended.wait()
        return code


def test_who_asked_goes_on_while_the_process_ends(tmp_path: Path) -> None:
    async def run() -> None:
        workers = Lingering()
        inspections = Inspections(workers)
        found = await inspections.inspect(release_with(tmp_path, ""))
        assert found["contract"] == SAID["contract"]
        assert await workers.all[0].process.wait() == -9
        waiting = asyncio.create_task(inspections.ended())
        assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
        workers.ended.set()
        await waiting
        # There is nothing more to wait for.
        workers.ended.clear()
        await inspections.ended()
        await workers.close()

    asyncio.run(run())


def test_a_server_that_fails_has_ended_when_its_reason_is_told(tmp_path: Path) -> None:
    async def run() -> None:
        workers = Lingering()
        workers.fails[1] = lambda: "no licence"
        inspecting = asyncio.create_task(Inspections(workers).inspect(release_with(tmp_path, "")))
        while not workers.all:
            await asyncio.sleep(0.005)
        await workers.all[0].process.wait()
        assert not inspecting.done()
        workers.ended.set()
        with pytest.raises(InspectError, match="no licence"):
            await inspecting
        await workers.close()

    asyncio.run(run())
