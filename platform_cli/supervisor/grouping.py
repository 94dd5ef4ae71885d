"""Puts workers and zygotes into control groups: the limit of a worker is that of all that it starts."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from homeport_runtime.hosts.cgroup_places import step_aside
from homeport_runtime.hosts.cgroups import Group, Groups

from ..home import Home

# The memory that a zygote, and what a hostile package starts there, may use together.
ZYGOTE_MB = 4096
# The seconds in which the worker before has started, from which grouping the next one would take the processor.
STARTED_S = 0.03
# The seconds for which killed processes are waited for, and between two looks.
END_S = 1.0
PAUSE_S = 0.02


class Grouping:
    """Groups processes where the system allows it; elsewhere each of them has its limits for itself alone."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._joining: dict[int, tuple[asyncio.Task[None], asyncio.Event]] = {}

    @classmethod
    def none(cls) -> Grouping:
        """Returns a grouping that leaves all processes where they are."""
        return cls(Groups(Path()))

    def expect(self, pid: int) -> None:
        """Groups a preforked worker before it is needed, since that takes longer than its start."""
        group = self._groups.group(pid)
        if not group.folders or pid in self._joining or group.holds(pid):
            return
        is_needed = asyncio.Event()
        task = asyncio.create_task(self._join(pid, is_needed))
        self._joining[pid] = (task, is_needed)
        task.add_done_callback(lambda _: self._joining.pop(pid))

    async def limit(self, pid: int, memory_mb: int) -> Group:
        """Groups a process, if it is in no group yet, and limits it with all that it starts."""
        group = self._groups.group(pid)
        if not group.folders:
            return group
        if joining := self._joining.get(pid):
            task, is_needed = joining
            is_needed.set()
            await asyncio.wait({task})
        if not group.holds(pid):
            await self._add(pid)
        with contextlib.suppress(OSError):
            group.limit(memory_mb)
        return group

    async def _join(self, pid: int, is_needed: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_needed.wait(), STARTED_S)
        await self._add(pid)

    async def _add(self, pid: int) -> None:
        # What the kernel refuses is not limited.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._groups.group(pid).add, pid)

    def sweep(self) -> None:
        self._groups.sweep()

    async def close(self) -> None:
        """Removes the groups, whose last processes may take a moment to end."""
        await asyncio.gather(*(task for task, _ in self._joining.values()))
        for _ in range(round(END_S / PAUSE_S)):
            if self._groups.close():
                return
            await asyncio.sleep(PAUSE_S)


def own_groups(home: Home) -> Groups:
    """Returns the groups of a platform, for which it makes room, as far as the system allows it."""
    groups = Groups.find(home.root, os.getpid())
    if not groups.limits_memory:
        step_aside()
        groups = Groups.find(home.root, os.getpid())
    try:
        groups.open()
    except OSError:
        return Groups(home.root)
    return groups
