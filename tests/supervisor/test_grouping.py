"""Workers and zygotes get into control groups, those that are preforked before they are needed."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport_runtime.hosts.cgroups import SHARED_MB, Group, Groups
from platform_cli.supervisor.grouping import Grouping

from ..support import require
from .stand_ins import PROGRAM, until


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    found = Groups.find(tmp_path, os.getpid())
    require(found.limits_memory, "control groups in which memory and processes are counted, and which may be made")
    return found


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(PROGRAM) as started:
        yield started
        started.kill()


def limits(group: Group) -> set[int]:
    names = ("memory.max", "memory.limit_in_bytes")
    return {int(path.read_text()) for each in group.folders for name in names if (path := each / name).exists()}


@pytest.mark.parametrize("waits", [True, False])
def test_a_preforked_worker_is_in_its_group_when_it_gets_its_work(
    groups: Groups, process: subprocess.Popen[bytes], waits: bool
) -> None:
    async def run() -> None:
        grouping = Grouping(groups)
        grouping.expect(process.pid)
        if waits:
            await until(lambda: groups.group(process.pid).holds(process.pid))
        group = await grouping.limit(process.pid, 512)
        assert group.holds(process.pid)
        assert limits(group) == {(512 + SHARED_MB) * 1024 * 1024}
        process.kill()
        process.wait()
        await grouping.close()
        assert not any(folder.parent.exists() for folder in group.folders)

    asyncio.run(run())


def test_where_no_groups_may_be_made_nothing_is_waited_for() -> None:
    async def run() -> None:
        grouping = Grouping.none()
        grouping.expect(os.getpid())
        assert await grouping.limit(os.getpid(), 512) == Group()
        await grouping.close()

    asyncio.run(run())
