"""The control plane's process: `python -m platform_cli.controlplane`, one per home."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sqlite3
import sys
import time
from typing import Any, Literal

import uvicorn

from homeport_runtime.guard.names import Names
from homeport_runtime.hosts.confinement import can_hide, keep_memory_private

from ..errors import HomeportError
from ..home import Home, check_socket_folder, open_home
from .api import create_app
from .builds import Builds
from .client import PlatformClient
from .gate import Gate
from .peer import refuse_workers
from .platform import Platform
from .pushes import Pushes
from .stopped import reason_to_stop
from .tcp import open_api
from .webhook import Webhook

# Seconds between tries to take over from a control plane that is stopping.
TAKE_OVER_S = 0.1


def main() -> None:
    try:
        _run(open_home())
    except (HomeportError, OSError, sqlite3.Error) as error:
        print(reason_to_stop(error), flush=True)
        raise SystemExit(1) from error


def _run(home: Home) -> None:
    # A bare descriptor, which only the end of the process closes: until then it has the log open, and more.
    lock = os.open(home.platform_lock, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    if _take(lock, home):
        # Tried while there is one thread, and while this process may change what it sees.
        can_hide(home.root)
        keep_memory_private()
        asyncio.run(_serve(home))


def _take(lock: int, home: Home) -> bool:
    """False when another control plane serves this home; one that is just stopping is waited for."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if PlatformClient(home).is_running():
                return False
            time.sleep(TAKE_OVER_S)
        else:
            return True


async def _serve(home: Home) -> None:
    platform = Platform(home)
    platform.releases.resume()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = _listen(home)
    builds = Builds(platform)
    pushes = Pushes(platform, builds)
    app = create_app(platform, builds, pushes, stop)
    gate = Gate(app, Webhook(pushes.deliveries), platform.state.tokens.accept, lambda: Names(platform.edge.own_names()))
    local = _server(app, refuse_workers(platform.worker_processes))
    servers = {local: listener, _server(gate): open_api(platform.state.settings)}
    serving = [asyncio.create_task(server.serve(sockets=[sock])) for server, sock in servers.items()]
    pushes.start()
    # Whoever started this process has read what went wrong (client.py), and from here on nobody reads it.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Caddy may have been started again meanwhile, or the port may be another.
    publishing = asyncio.create_task(platform.publishing.publish())
    watching = [asyncio.create_task(work) for work in (platform.publishing.watch(), platform.garbage.watch())]
    await asyncio.wait({*serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    home.socket.unlink(missing_ok=True)
    for server in servers:
        server.should_exit = server.force_exit = True
    for task in watching:
        task.cancel()
    await asyncio.gather(*serving, publishing)
    await _interrupt({request for server in servers for request in server.server_state.tasks})
    await pushes.close()
    await platform.close()


async def _interrupt(requests: set[asyncio.Task[None]]) -> None:
    """Ends what is still asked of the platform: each operation clears up while everything it needs is there."""
    for request in requests:
        request.cancel()
    if requests:
        await asyncio.wait(requests)


def _server(app: Any, protocol: type[asyncio.Protocol] | Literal["h11"] = "h11") -> uvicorn.Server:
    config = uvicorn.Config(
        app, http=protocol, log_level="warning", access_log=False, lifespan="off", server_header=False
    )
    server = uvicorn.Server(config)
    # The server's own handlers would not close the platform; ours are set already.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


def _listen(home: Home) -> socket.socket:
    """The lock is ours, so a socket file that is there is a dead one's."""
    path = home.socket
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_socket_folder(home)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(128)
    return listener


if __name__ == "__main__":
    main()
