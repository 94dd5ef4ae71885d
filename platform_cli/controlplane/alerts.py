"""Manages alerts: makes, tests and removes them, and passes on what has happened."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sqlite3
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..alerts.model import ERROR_RATE, KINDS, PLATFORM, Alert, Event, Limits
from ..alerts.target import channel_of, is_signed, shown
from ..api.alert import AlertKind, AlertTested, ListedAlert, NewAlert, WantedAlert
from ..errors import InputError
from ..outbound.addresses import PrivateAddressError, find_addresses
from .edge import Edge
from .stores import Stores

if TYPE_CHECKING:
    from ..alerts.courier import Courier

MAX_ALERTS = 100
# The kinds that need a limit, by the limit's name.
MEASURED: dict[AlertKind, str] = {"error-rate": "error_rate", "latency": "p95_ms", "silent": "silent_s"}
# The longest silence that can be told from one that always was: single calls are kept for 7 days.
MAX_SILENT_S = 6 * 86_400.0


class Alerts:
    def __init__(self, stores: Stores, edge: Edge) -> None:
        self._stores = stores
        self._edge = edge

    @cached_property
    def _courier(self) -> Courier:
        # Imported late, since mail and tenacity take long, and the platform serves before it tells anything.
        from ..alerts.channels import Channels
        from ..alerts.courier import Courier

        return Courier(self._stores.alerts, Channels(), self._name)

    async def work(self) -> None:
        """Delivers messages, for as long as it runs."""
        await self._courier.work()

    def happened(self, event: Event) -> None:
        """Tells of an event by all alerts that want it; it neither waits nor raises."""
        for alert in self.wanting(event.kind, event.project):
            self._courier.tell(alert, event)

    def exceeded(self, alert: Alert, event: Event) -> None:
        """Tells of a limit of this alert that is exceeded."""
        self._courier.tell(alert, event)

    def wanting(self, kind: AlertKind, project: str | None) -> list[Alert]:
        with contextlib.suppress(sqlite3.Error):
            return [alert for alert in self._stores.alerts.all() if alert.wants(kind, project)]
        return []

    async def add(self, wanted: WantedAlert) -> NewAlert:
        """Makes an alert, whose key is shown only now.

        Raises InputError for a target that alerts must not go to, and NotFoundError if the project does not exist.
        """
        if wanted["project"] is not None:
            self._stores.store.project(wanted["project"])
        if len(self._stores.alerts.all()) >= MAX_ALERTS:
            raise InputError(f"a platform has {MAX_ALERTS} alerts at most", hint="homeport alerts remove ID")
        url, private = wanted["url"], wanted["private"]
        channel = channel_of(url, wanted["channel"], private=private)
        if not private:
            await _check_public(url)
        limits = _limits(wanted)
        alert = Alert(
            self._stores.alerts.new_id(),
            channel,
            shown(url),
            wanted["project"],
            _kinds(wanted, limits),
            private,
            limits,
        )
        key = secrets.token_urlsafe(32) if is_signed(channel) else None
        self._stores.alerts.add(alert, url, key)
        listed = next(each for each in self.listed() if each["id"] == alert.id)
        return {**listed, "key": key}

    def listed(self) -> list[ListedAlert]:
        return self._stores.alerts.listed()

    async def test(self, alert_id: str) -> AlertTested:
        """Sends a message that says that it is a test.

        Raises NotFoundError if there is no such alert, and PlatformError if the receiver did not take it.
        """
        alert = self._stores.alerts.get(alert_id)
        await self._courier.test(alert)
        return {"id": alert.id, "target": alert.target}

    def remove(self, alert_id: str) -> None:
        """Removes an alert.

        Raises NotFoundError if there is no such alert.
        """
        self._stores.alerts.remove(alert_id)

    def _name(self) -> str:
        return self._edge.domain.name if self._edge.domain else socket.gethostname()


def _limits(wanted: WantedAlert) -> Limits:
    rate, p95_ms, silent_s = wanted["error_rate"], wanted["p95_ms"], wanted["silent_s"]
    if rate is not None and not 0 < rate <= 1:
        raise InputError("the error rate is more than 0 % and at most 100 %")
    if p95_ms is not None and not 0 < p95_ms < float("inf"):
        raise InputError("the latency is more than 0 ms")
    if silent_s is not None and not 60 <= silent_s <= MAX_SILENT_S:
        raise InputError("a silence is from one minute to 6 days", hint="for example --silent 24h")
    return Limits(rate if rate is not None else ERROR_RATE, p95_ms, silent_s)


def _kinds(wanted: WantedAlert, limits: Limits) -> tuple[AlertKind, ...]:
    """Returns the kinds that were asked for, by default all that an alert of this project may have."""
    possible = [kind for kind in KINDS if wanted["project"] is None or kind not in PLATFORM]
    without = [kind for kind in MEASURED if getattr(limits, MEASURED[kind]) is None]
    asked = wanted["kinds"]
    if asked is None:
        return tuple(kind for kind in possible if kind not in without)
    if lacking := set(asked) & set(without):
        raise InputError(f"{_named(lacking)} needs a limit", hint="--p95 2s or --silent 24h")
    if foreign := set(asked) - set(possible):
        raise InputError(f"{_named(foreign)} is of the platform, not of one project", hint="leave --project out")
    if not asked:
        raise InputError("an alert is about something", hint=f"--on with one of {', '.join(possible)}")
    return tuple(kind for kind in KINDS if kind in asked)


def _named(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds))


async def _check_public(url: str) -> None:
    """Raises InputError for a host of one's own network; that it leads there later is found when a message is sent."""
    parts = urlsplit(url)
    try:
        await find_addresses(parts.hostname or "", parts.port or 443)
    except PrivateAddressError as error:
        raise InputError(
            f"{parts.hostname} is a host of the platform's own network, or leads nowhere",
            hint="if alerts may go there: --private, on the machine of the platform",
        ) from error
    except OSError:
        # Perhaps the name does not exist yet, or the network is down.
        return
