"""Tests that the store of fastmcp's sessions comes when something is stored."""

from __future__ import annotations

import asyncio
from typing import Any

from homeport_runtime.libraries.fastmcp import UnusedState, defer_state


class Store:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def get(self, key: str) -> Any:
        return self.kept.get(key)

    async def put(self, key: str, value: Any) -> None:
        self.kept[key] = value


class FastMCP:
    """Stands for fastmcp's class as far as its state goes."""

    def __init__(self, storage: Store | None = None) -> None:
        self._state_storage = storage
        self.__state_store: Any = None

    @property
    def _state_store(self) -> Any:
        if self.__state_store is None:
            self.__state_store = self._state_storage or Store()
        return self.__state_store


def test_reading_makes_no_store_and_storing_does() -> None:
    async def work() -> None:
        server = FastMCP()
        defer_state(server)
        held = server._state_store
        assert await held.get(key="a") is None
        assert isinstance(server._state_store, UnusedState)
        await server._state_store.put("a", 1)
        assert isinstance(server._state_store, Store)
        # Who has kept the first one finds what was stored since.
        assert (await held.get("a"), await server._state_store.get("a")) == (1, 1)
        await held.put("b", 2)
        assert server._state_store.kept == {"a": 1, "b": 2}

    asyncio.run(work())


def test_a_store_of_the_users_own_stays() -> None:
    server, other = FastMCP(own := Store()), object()
    defer_state(server)
    assert server._state_store is own
    defer_state(other)
    defer_state(None)
