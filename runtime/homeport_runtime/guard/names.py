"""Host and Origin against the deployment's own names, so that no web page can rebind its name to this server.

MCP 2026-07-28, basic/transports: servers MUST validate the Origin header and answer 403 to an invalid one.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Names:
    """The host names a deployment answers to; ports do not matter, since a proxy in front has its own."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._known: set[str] = set()
        for name in (*LOOPBACK, *names):
            self.add(name)

    def add(self, name: str) -> None:
        self._names.add(name.lower().rstrip("."))

    def allows_host(self, host: str | None) -> bool:
        return host is not None and self._allows(f"//{host}")

    def allows_origin(self, origin: str) -> bool:
        return "://" in origin and self._allows(origin)

    def _allows(self, url: str) -> bool:
        if url in self._known:
            return True
        try:
            name = urlsplit(url).hostname
        except ValueError:
            return False
        if name is None or name.rstrip(".") not in self._names:
            return False
        # Only allowed names are remembered, and they come with few ports: nobody can grow this by asking.
        if len(self._known) < 100:
            self._known.add(url)
        return True
