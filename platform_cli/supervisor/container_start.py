"""Starts the container of a release, and connects to the zygote that is its first process.

That connects to a socket in a mounted folder, over which it gets descriptors. An engine whose containers have a kernel
of their own (Docker Desktop, gVisor) passes none, which is found out by trying: its containers are reached by ports
that it publishes on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from homeport_runtime.hosts.container.agreed import NO_SOCKET

from ..errors import HomeportError, ReleaseError
from ..home import Home
from .container_removal import Removal
from .container_spec import SOCKET, SOCKET_FOLDER, container_spec
from .container_zygote import ContainerProcess, ContainerZygote, NoDescriptorsError
from .engine import PIDS, ContainerSpec, Engine, Mount
from .published_zygote import PublishedZygote, greet, ports_for
from .release import RunnableRelease
from .zygote_messages import Limits

# The file with what whoever gives orders by a published port has to show.
KEY = "key"
# The seconds for a container's start, and the interval in which it is looked whether it still runs.
START_S = 60.0
LOOK_S = 1.0


class ContainerStarter:
    """Starts containers of `engine`; `passes` tells whether it passes descriptors on, None before that was tried."""

    def __init__(self, home: Home, engine: Engine, removal: Removal) -> None:
        self._home = home
        self._engine = engine
        self._removal = removal
        # Elsewhere containers run in a virtual machine.
        self.passes: bool | None = None if sys.platform == "linux" else False
        self._removing: set[asyncio.Task[None]] = set()

    async def start(
        self, release: RunnableRelease, key: str, project: Path, shown: Sequence[Mount] = ()
    ) -> ContainerZygote:
        """Returns the zygote of a new container, whose name begins with `key`.

        Raises ReleaseError if it does not start.
        """
        await self._removal.remove_left()
        if self.passes is not False:
            try:
                zygote = await self._by_socket(release, _place(key), project, shown)
            except NoDescriptorsError:
                self.passes = False
            else:
                self.passes = True
                return zygote
        return await self._by_ports(release, _place(key), project, shown)

    async def _by_socket(
        self, release: RunnableRelease, place: str, project: Path, shown: Sequence[Mount]
    ) -> ContainerZygote:
        """Raises NoDescriptorsError if the container gets no descriptors."""
        with self._folder() as folder:
            spec = container_spec(self._home, place, release, folder, project, shown)
            with contextlib.closing(_listen(folder)) as listener:
                container = await self._started(spec)
                control = await self._connected(listener, container)
        zygote = ContainerZygote(ContainerProcess(self._removal, container), control, place)
        return await self._checked(zygote, spec)

    async def _by_ports(
        self, release: RunnableRelease, place: str, project: Path, shown: Sequence[Mount]
    ) -> ContainerZygote:
        ports = ports_for(release)
        with self._folder() as folder:
            spec = container_spec(self._home, place, release, folder, project, shown)
            if spec.network == "none":
                raise ReleaseError(
                    'this container engine passes no sockets to its containers, so that network = "none" cannot be had',
                    hint="leave `network` out, and the container is reached by a port of loopback",
                )
            command = ["published-zygote", f"{SOCKET_FOLDER}/{KEY}", *map(str, ports)]
            key = secrets.token_hex(32)
            # Others cannot enter the home, and the container's user has to read it.
            (folder / KEY).write_text(key)
            (folder / KEY).chmod(0o644)
            container = await self._started(replace(spec, command=command, ports=ports))
            published, control = await self._greeted(container, ports[0], key)
        process = ContainerProcess(self._removal, container)
        zygote = PublishedZygote(process, control, place, {port: published[port] for port in ports})
        return await self._checked(zygote, spec)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """Yields a folder that a container's user can enter, and nobody who is outside of the home."""
        self._home.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="container-", dir=self._home.temporary))
        folder.chmod(0o711)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _checked(self, zygote: ContainerZygote, spec: ContainerSpec) -> ContainerZygote:
        try:
            _check_limits(await zygote.limits(), spec)
        except BaseException:
            zygote.close()
            await zygote.ended()
            raise
        return zygote

    async def _started(self, spec: ContainerSpec) -> str:
        """Returns the id of a new container, which is removed if nobody waits for it any more."""
        starting = asyncio.ensure_future(asyncio.to_thread(self._engine.start, spec))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            task = asyncio.ensure_future(self._remove_started(starting))
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)
            raise
        except HomeportError:
            await self._removal.remove(spec.name)
            raise

    async def _remove_started(self, starting: asyncio.Future[str]) -> None:
        with contextlib.suppress(HomeportError):
            await self._removal.remove(await starting)

    async def _connected(self, listener: socket.socket, container: str) -> socket.socket:
        """Returns the connection of the container's first process; the container is removed if there will be none."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_S
        connecting = asyncio.ensure_future(loop.sock_accept(listener))
        try:
            while not connecting.done() and loop.time() < deadline:
                await asyncio.wait({connecting}, timeout=LOOK_S)
                if not connecting.done() and not await asyncio.to_thread(self._engine.runs, container):
                    break
            if connecting.done():
                control, _address = connecting.result()
                control.setblocking(False)
                return control
            if await asyncio.to_thread(self._engine.exit_code, container) == NO_SOCKET:
                raise NoDescriptorsError
            raise await self._failure(container)
        except BaseException:
            connecting.cancel()
            await self._removal.remove(container)
            raise

    async def _greeted(self, container: str, orders: int, key: str) -> tuple[Mapping[int, int], socket.socket]:
        """Returns the published ports, and a connection to the one in place of `orders`; the container is removed if
        there will be none.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_S
        try:
            while loop.time() < deadline and await asyncio.to_thread(self._engine.runs, container):
                published = await asyncio.to_thread(self._engine.published, container)
                if orders in published and (control := await asyncio.to_thread(greet, published[orders], key)):
                    return published, control
                await asyncio.sleep(LOOK_S / 10)
            raise await self._failure(container)
        except BaseException:
            await self._removal.remove(container)
            raise

    async def _failure(self, container: str) -> ReleaseError:
        said = await asyncio.to_thread(self._engine.last_words, container)
        return ReleaseError(
            "\n".join(filter(None, ["the release's container has ended, or does not begin", said])),
            hint="its base needs the Python version of the release, and glibc",
        )


def kept_zygote(removal: Removal, note: str, control: socket.socket, place: str) -> ContainerZygote:
    """Returns the zygote that an earlier control plane has noted."""
    if not note.startswith("["):
        return ContainerZygote(ContainerProcess(removal, note), control, place, is_known=False)
    container, ports = json.loads(note)
    return PublishedZygote(ContainerProcess(removal, container), control, place, dict(ports), is_known=False)


def _place(key: str) -> str:
    # The engine may still be removing a container of the same release.
    return f"{key}-{secrets.token_hex(4)}"


def _listen(folder: Path) -> socket.socket:
    """Listens on the socket in `folder`, however long its path is, for the container's user alone: others cannot enter
    the home.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{opened}/{SOCKET}")
        (folder / SOCKET).chmod(0o666)
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(opened)
    return listener


def _check_limits(found: Limits, spec: ContainerSpec) -> None:
    """Raises ReleaseError if the engine ignores a limit that it was asked for."""
    asked = {
        "memory": (found.memory, spec.memory_mb * 1024 * 1024),
        "processes": (found.pids, PIDS),
        "the processor": (found.cpu if spec.cpus else None, round((spec.cpus or 0) * 1000)),
    }
    ignored = [name for name, (limit, most) in asked.items() if limit is not None and not 0 <= limit <= most]
    if ignored:
        raise ReleaseError(
            f"the container engine does not limit {' and '.join(ignored)}, though it was asked to",
            hint="rootless podman needs control groups of version 2 for that",
        )
