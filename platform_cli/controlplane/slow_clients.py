"""Closes connections of slow clients to the API over TCP, by the same rule as a deployed server."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn

from homeport_runtime.hosts.http_connection import Connection
from homeport_runtime.hosts.patience import Patience

# The interval, in seconds, in which open connections are checked.
LOOK_S = 1.0


class APIConnection(Connection):
    """Is a Connection that nobody observes between requests."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, between_requests=lambda _connection: None, **options)


async def end_slow_clients(server: uvicorn.Server) -> None:
    """Closes, for as long as it runs, connections whose client has kept the server waiting for too long."""
    patience, loop = Patience(), asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_S)
        opened = [each for each in server.server_state.connections if isinstance(each, APIConnection)]
        for connection in patience.exhausted(opened, loop.time()):
            connection.reset()
