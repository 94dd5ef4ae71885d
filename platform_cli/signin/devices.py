"""Keeps sign-ins that wait until their person has typed a code at GitHub (device_flow.py)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .pending import MAX_PENDING


@dataclass(slots=True)
class Device:
    """Is a sign-in that waits for its person: `user_code` is what they type at `page`.

    `secret` is what GitHub knows it by. It is asked again at `next_at`, and over at `ends_at`, in seconds since 1970.
    """

    client_id: str
    page: str
    user_code: str
    secret: str = field(repr=False)
    interval_s: float
    next_at: float
    ends_at: float


class Devices:
    """Holds the sign-ins that wait, by the key of each, in memory: they last ten minutes."""

    def __init__(self) -> None:
        self._waiting: dict[str, Device] = {}

    def find(self, key: str) -> Device | None:
        return self._waiting.get(key)

    def keep(self, key: str, device: Device) -> None:
        now = time.time()
        self._waiting = {known: each for known, each in self._waiting.items() if each.ends_at > now}
        if len(self._waiting) >= MAX_PENDING:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[key] = device

    def end(self, key: str) -> None:
        self._waiting.pop(key, None)
