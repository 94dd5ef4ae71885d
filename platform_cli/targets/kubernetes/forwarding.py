"""Leads a port of this machine to a project's pods, through the cluster's API, as `kubectl port-forward` does.

Each connection is a WebSocket of the protocol v4.channel.k8s.io, which every version of the API speaks: a message
begins with the number of its channel, 0 for data and 1 for what went wrong, and the first one of each has the port
(https://github.com/kubernetes/kubernetes/tree/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward).
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpcore
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong
from wsproto.utilities import RemoteProtocolError

from ...errors import ClusterError, HomeportError
from ...images.places import PORT
from ..base import Note
from .cluster import Cluster, Connected, Object
from .names import PROJECT, in_kubectl

DATA = 0
PIECE = 64 * 1024


@contextmanager
def forwarded(cluster: Cluster, project: str, note: Note) -> Iterator[int]:
    """Yields a port on loopback that leads to the pods, which `note` tells of what goes wrong on its way.

    Raises ClusterError if no pod is ready, or the cluster does not allow it.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="forwarding", daemon=True)
    thread.start()
    forwarding = _Forwarding(cluster, project, note)
    try:
        yield asyncio.run_coroutine_threadsafe(forwarding.start(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(forwarding.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Forwarding:
    def __init__(self, cluster: Cluster, project: str, note: Note) -> None:
        self._cluster = cluster
        self._project = project
        self._note = note
        self._server: asyncio.Server | None = None
        self._leading: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        # What the cluster refuses is said at once, and not as a connection that ends.
        async with self._opened():
            pass
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._leading:
            task.cancel()
        if self._leading:
            await asyncio.wait(self._leading)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._lead(reader, writer))
        self._leading.add(task)
        task.add_done_callback(self._leading.discard)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._opened() as channel:
                await _pass_on(reader, writer, channel)
        except ConnectionError:
            # The client has left, as clients do.
            pass
        except (HomeportError, httpcore.NetworkError, RemoteProtocolError) as error:
            self._note(f"the way to the pods of {self._project} has ended: {error}")
        finally:
            writer.close()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[_Channel]:
        pods = await asyncio.to_thread(self._cluster.list, "Pod", {PROJECT: self._project})
        ready = [pod["metadata"]["name"] for pod in pods if _is_ready(pod)]
        if not ready:
            kubectl = in_kubectl(self._cluster.connection.context, self._cluster.namespace)
            raise ClusterError(f"no pod of {self._project} is ready", hint=f"{kubectl} get pods")
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
            "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
        }
        async with self._cluster.upgraded(ready[-1], "portforward", {"ports": str(PORT)}, headers) as connected:
            yield _Channel(connected)


class _Channel:
    """Is one connection to a port of a pod, in messages of a WebSocket."""

    def __init__(self, connected: Connected) -> None:
        self._connected = connected
        self._frames = Connection(ConnectionType.CLIENT)
        self._sending = asyncio.Lock()

    async def send(self, data: bytes) -> None:
        await self._write(BytesMessage(data=bytes((DATA,)) + data))

    async def _write(self, event: BytesMessage | Pong) -> None:
        async with self._sending:
            await self._connected.write(self._frames.send(event))

    async def received(self) -> AsyncIterator[bytes]:
        """Yields data until the pod has ended the connection.

        Raises ClusterError if the cluster says that it cannot reach the port.
        """
        begun: set[int] = set()
        message = b""
        while data := await self._connected.read(PIECE):
            self._frames.receive_data(data)
            for event in self._frames.events():
                if isinstance(event, CloseConnection):
                    return
                if isinstance(event, Ping):
                    await self._write(event.response())
                if not isinstance(event, BytesMessage):
                    continue
                message += event.data
                if not event.message_finished or not message:
                    continue
                channel, said, message = message[0], message[1:], b""
                if channel not in begun:
                    begun.add(channel)
                elif channel == DATA:
                    yield said
                else:
                    raise ClusterError(said.decode("utf-8", "replace"))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: _Channel) -> None:
    """Passes on what both sides send until one of them has ended."""

    async def there() -> None:
        while data := await reader.read(PIECE):
            await channel.send(data)

    async def back() -> None:
        async for data in channel.received():
            writer.write(data)
            await writer.drain()

    ways = {asyncio.create_task(there()), asyncio.create_task(back())}
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    for way in done:
        way.result()


def _is_ready(pod: Object) -> bool:
    containers = pod.get("status", {}).get("containerStatuses") or ()
    return "deletionTimestamp" not in pod["metadata"] and any(each.get("ready") for each in containers)
