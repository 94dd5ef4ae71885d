"""The control plane's process: `python -m platform_cli.controlplane`, one per home."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from pathlib import Path

import uvicorn

from ..home import Home, open_home
from .api import create_app
from .platform import Platform


def main() -> None:
    home = open_home()
    with home.platform_lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Another control plane serves this home already: whoever started us will find it.
            return
        asyncio.run(_serve(home))


async def _serve(home: Home) -> None:
    platform = Platform(home)
    platform.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = _listen(home.socket)
    config = uvicorn.Config(create_app(platform, stop), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    # The server's own handlers would not close the platform; ours are set already.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    home.socket.unlink(missing_ok=True)
    server.should_exit = server.force_exit = True
    await serving
    await platform.close()


def _listen(path: Path) -> socket.socket:
    """The lock is ours, so a socket file that is there is a dead one's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
