"""Represents a zygote in a container of an engine that passes no descriptors, which is reached by published ports
(homeport_runtime.hosts.container.published).

For each worker a process beside the platform takes the place of the descriptors (port_proxy.py).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from homeport_runtime.hosts.container.agreed import ROLES

from .container_zygote import ContainerProcess, ContainerZygote
from .release import RunnableRelease, base_environment
from .zygote import FORK_TIMEOUT_S, Answer, Child
from .zygote_messages import Limits

# The port of orders in a container, and the first of those on which its workers accept.
ORDERS, FIRST = 7000, 8000
# The ports beyond one for each worker, for those that follow others.
SPARE = 2
# The seconds that a proxy has for what is still on its way after its worker has ended.
PROXY_END_S = 10.0
LOOPBACK = "127.0.0.1"


def ports_for(release: RunnableRelease) -> tuple[int, ...]:
    """Returns the ports of a release's container."""
    workers = max(release.max_workers, release.min_workers, 1)
    return (ORDERS, *range(FIRST, FIRST + workers + SPARE))


def greet(port: int, key: str) -> socket.socket | None:
    """Returns a connection to the zygote that is published at `port`, None if it does not answer yet."""
    try:
        connection = socket.create_connection((LOOPBACK, port), timeout=1.0)
    except OSError:
        return None
    try:
        connection.sendall(f"{key} orders\n".encode())
        if connection.recv(1):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            return connection
    except OSError:
        """It is not there yet, and the engine has taken the connection in its place."""
    connection.close()
    return None


class PublishedZygote(ContainerZygote):
    """Is a zygote whose container's ports are published as `ports` says, by the port inside."""

    def __init__(
        self,
        process: ContainerProcess,
        control: socket.socket,
        place: str,
        ports: Mapping[int, int],
        *,
        is_known: bool = True,
    ) -> None:
        super().__init__(process, control, place, is_known=is_known)
        self._ports = ports

    @property
    def note(self) -> str:
        return json.dumps([self.container, list(self._ports.items())])

    async def limits(self) -> Limits:
        return await self._order(Limits, {"do": "limits"}, (), FORK_TIMEOUT_S)

    async def _order(
        self, answer: type[Answer], order: Mapping[str, Any], descriptors: Sequence[int], timeout: float
    ) -> Answer:
        if not descriptors:
            return await super()._order(answer, order, (), timeout)
        word = secrets.token_hex(16)
        proxy = await self._start_proxy(word, descriptors)
        order = {**order, "word": word, "serves": len(descriptors) > len(ROLES)}
        given = await super()._order(answer, order, (), timeout)
        if isinstance(given, Child):
            return Child(given.pid, asyncio.ensure_future(_ended(given.ended, proxy)))
        return given

    async def _start_proxy(self, word: str, descriptors: Sequence[int]) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "platform_cli.supervisor.port_proxy", *map(str, descriptors),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
            cwd="/",
            env=base_environment(),
        )  # fmt: skip
        if process.stdin is not None:
            process.stdin.write(json.dumps({"word": word, "ports": list(self._ports.items())}).encode())
            process.stdin.close()
        return process


async def _ended(worker: asyncio.Future[int | None], proxy: asyncio.subprocess.Process) -> int | None:
    """Returns how a worker has ended, when what it said last has arrived."""
    code = await worker
    try:
        await asyncio.wait_for(proxy.wait(), PROXY_END_S)
    except TimeoutError:
        proxy.kill()
    return code
