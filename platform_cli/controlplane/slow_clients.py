"""The API over TCP waits for slow clients as a deployed server does, and no longer."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn

from homeport_runtime.hosts.http_connection import Connection
from homeport_runtime.hosts.patience import Patience

# Seconds between two looks at the open connections.
LOOK_S = 1.0


class APIConnection(Connection):
    """A Connection, of which nobody wants to know when no request is on it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, between_requests=lambda _connection: None, **options)


async def end_slow_clients(server: uvicorn.Server) -> None:
    """Ends, as long as it runs, those of the server's connections whose client has not done its part for long."""
    patience, loop = Patience(), asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_S)
        opened = [each for each in server.server_state.connections if isinstance(each, APIConnection)]
        for connection in patience.exhausted(opened, loop.time()):
            connection.reset()
