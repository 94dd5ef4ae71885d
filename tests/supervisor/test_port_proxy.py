"""Tests what stands for a worker in a container that no descriptor can be passed to."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import closing

import pytest

from platform_cli.supervisor.port_proxy import Entrance


class Full(socket.socket):
    """Accepts nothing, as where no descriptor is left, and counts how often it is tried."""

    tries = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.anyio
async def test_it_does_not_try_without_end_where_no_descriptor_is_left() -> None:
    mine, taken = socket.socketpair()
    with closing(mine), closing(taken), closing(Full()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        entrance = Entrance(0, [listener, mine, taken])
        entrance.note(b'{"event":"accepting"}')
        with socket.create_connection(listener.getsockname()):
            while not listener.tries:
                await asyncio.sleep(0.01)
            for _ in range(20):
                await asyncio.sleep(0)
        entrance.close()
        assert listener.tries == 1
