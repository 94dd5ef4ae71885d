"""Carries messages to their receivers, one at a time for each alert, so that one that hangs delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from functools import partial

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential
from tenacity.wait import wait_base

from ..errors import HomeportError, PlatformError
from .channels import Channels, DeliveryError
from .messages import Message
from .model import Alert, Event
from .store import AlertStore, Waiting

TRIES = 3
# The seconds after which is looked for what an hour has held back.
LOOK_S = 30.0
TEST = "This is a test: somebody wanted to see whether it arrives."


class Courier:
    """Delivers what the store says is due; `platform` is how the platform calls itself."""

    def __init__(
        self,
        store: AlertStore,
        channels: Channels,
        platform: Callable[[], str],
        wait: wait_base = wait_exponential(multiplier=2, max=30),  # noqa: B008
    ) -> None:
        self._store = store
        self._channels = channels
        self._platform = platform
        self._wait = wait
        self._changed = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}

    def tell(self, alert: Alert, event: Event) -> None:
        """Has an event told, now or with the others of this hour; on a full disk it is not."""
        with contextlib.suppress(sqlite3.Error):
            if self._store.tell(alert, event):
                self._changed.set()

    async def work(self) -> None:
        """Delivers, for as long as it runs."""
        try:
            while True:
                self._changed.clear()
                with contextlib.suppress(sqlite3.Error):
                    self._start()
                # wait_for is not used, since before Python 3.12 it loses a cancellation that comes with the event.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._changed.wait()
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def test(self, alert: Alert) -> None:
        """Delivers a message that says that it is a test, once.

        Raises PlatformError if it was not taken.
        """
        event, now = Event(alert.kinds[0], alert.project, "a test of this alert", TEST), time.time()
        message = Message(alert, event, 1, now, now, self._platform(), is_test=True)
        try:
            await self._channels.deliver(message, *self._store.secrets(alert))
        except DeliveryError as error:
            self._store.noted(alert, str(error))
            raise PlatformError(
                f"{alert.target} did not take the message: {error}",
                hint="remove it, and add it with another URL; a host of your own network needs --private",
            ) from error
        self._store.noted(alert, None)

    def _start(self) -> None:
        self._store.clean()
        for alert in self._store.all():
            if alert.id not in self._running and self._store.due(alert):
                task = asyncio.create_task(self._deliver_due(alert))
                self._running[alert.id] = task
                task.add_done_callback(partial(self._ended, alert.id))

    def _ended(self, alert_id: str, _task: asyncio.Task[None]) -> None:
        del self._running[alert_id]

    async def _deliver_due(self, alert: Alert) -> None:
        with contextlib.suppress(sqlite3.Error):
            while due := self._store.due(alert):
                for waiting in due:
                    await self._deliver(alert, waiting)

    async def _deliver(self, alert: Alert, waiting: Waiting) -> None:
        now = time.time()
        message = Message(alert, waiting.event, waiting.count, waiting.since, now, self._platform())
        retrying = AsyncRetrying(
            stop=stop_after_attempt(TRIES), wait=self._wait, retry=retry_if_exception(_is_temporary), reraise=True
        )
        self._store.silence(alert, waiting)
        try:
            url, key = self._store.secrets(alert)
            await retrying(self._channels.deliver, message, url, key)
        except (DeliveryError, HomeportError) as error:
            self._store.noted(alert, str(error))
        else:
            self._store.told(alert, waiting)


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, DeliveryError) and error.is_temporary
