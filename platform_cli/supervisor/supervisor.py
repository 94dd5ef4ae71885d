"""All projects of the embedded platform."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from ..errors import HomeportError
from ..home import Home
from .service import Service
from .sockets import open_new_listener


class Supervisor:
    def __init__(self, home: Home) -> None:
        self._home = home
        self.services: dict[str, Service] = {}

    def add_new(self, project: str, state_key: str, taken: Container[int]) -> Service:
        """A service on the first free port that is not in `taken`."""
        port, listener = open_new_listener(taken)
        service = Service(self._home.project(project), project, port, state_key)
        service.open(listener)
        self.services[project] = service
        return service

    def add_existing(self, project: str, state_key: str, port: int) -> Service:
        """A service on its own port; if another program has taken that, it is down with the reason as last error."""
        service = Service(self._home.project(project), project, port, state_key)
        try:
            service.open()
        except HomeportError as error:
            service.last_error = error.message
        self.services[project] = service
        return service

    async def remove(self, project: str) -> None:
        await self.services.pop(project).close()

    async def close(self) -> None:
        await asyncio.gather(*(service.close() for service in self.services.values()))
