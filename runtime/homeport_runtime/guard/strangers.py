"""Explains a refused Host or Origin once in the log, where whoever runs the server reads how to allow it, and bounds
what strangers can have written.
"""

from __future__ import annotations

import time

from ..telemetry import emit
from .names import MAX_NAME, host_name

ORIGINS = "origins under [domains] in fastmcp.toml"
# The most of them that are logged, so that no client can fill the log.
MAX_TOLD = 50


class Strangers:
    def __init__(self) -> None:
        self._told: set[str] = set()

    def host(self, host: str | None, place: str) -> str:
        """Returns why the request is refused, and how to allow it, by another name at `place`."""
        name = host_name(f"//{host}") if host else None
        if name is None:
            return "this server does not answer to that Host"
        return self._tell(f"this server does not answer to the Host {_shown(name)}", name, place)

    def origin(self, origin: str) -> str:
        return self._tell(f"the Origin {_shown(origin)} may not use this server", origin, ORIGINS)

    def _tell(self, refusal: str, value: str, place: str) -> str:
        text = f"{refusal}: add {_shown(value)} to {place}"
        if value not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(value)
            emit("warning", text)
        return text


def _shown(value: str) -> str:
    """Returns a name in quotes, as it is written in fastmcp.toml, cut and without characters that could
    end its line.
    """
    return '"' + "".join(each for each in value[:MAX_NAME] if each.isprintable() and each not in '"\\') + '"'


class PerMinute:
    """Counts what strangers cause, so that only so many of it are written down in a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since, self._count = 0.0, 0

    def is_one_too_many(self) -> bool:
        now = time.monotonic()
        if now - self._since > 60.0:
            self._since, self._count = now, 0
        self._count += 1
        return self._count > self._most
