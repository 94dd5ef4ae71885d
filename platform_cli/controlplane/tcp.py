"""Chooses the control plane's port on loopback once and stores it, since Caddy and other machines know it."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from pathlib import Path

from ..errors import PlatformError
from ..supervisor.sockets import FIRST_PORT, first_port, open_listener
from .settings import Settings

# These are below the projects' own ports.
API_PORTS = range(FIRST_PORT - 1, FIRST_PORT - 101, -1)


def open_api(settings: Settings, home: Path) -> socket.socket:
    """Listens on the stored port, else on another free one, which is then stored.

    The search begins where other homes seldom do: the port is a part of the name by which sign-ins know the platform,
    so one that somebody took while it was stopped would end them.

    Raises PlatformError if none is free.
    """
    stored = settings.get("api_port")
    first = first_port(home) % len(API_PORTS)
    for port in (*([int(stored)] if stored else []), *API_PORTS[first:], *API_PORTS[:first]):
        try:
            listener = open_listener(port)
        except PlatformError:
            continue
        if str(port) != stored:
            # On a full disk the next start may choose another port, but this one serves.
            with contextlib.suppress(sqlite3.OperationalError):
                settings.set("api_port", str(port))
        return listener
    raise PlatformError(f"no free port between {API_PORTS[-1]} and {API_PORTS[0]} for the control plane")
