"""Compares Host and Origin with the deployment's own names, against DNS rebinding by web pages.

MCP 2026-07-28, basic/transports: servers MUST validate the Origin header and answer 403 to an invalid one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Where a name is to be added, and the variable in which a container has them.
IN_CONFIG = "names under [domains] in fastmcp.toml"
IN_CONTAINER = "HOMEPORT_NAMES"
# The longest host name there is (RFC 1035, section 2.3.4).
MAX_NAME = 253


class Names:
    """Holds the host names of a deployment, without ports, since a proxy in front has a port of its own.

    They come from `place`, as whoever adds one calls it.
    """

    def __init__(self, names: Iterable[str], place: str = IN_CONFIG) -> None:
        self.place = place
        self._names: set[str] = set()
        self._origins: frozenset[str] = frozenset()
        self._known: set[str] = set()
        for name in (*LOOPBACK, *names):
            self.add(name)

    def add(self, name: str) -> None:
        self._names.add(_folded(name))

    def let_in(self, origins: Iterable[str]) -> None:
        """Adds foreign Origins that may call: whole ones, or an app's scheme alone (`app://`), which allows all of its
        hosts.
        """
        self._origins |= {origin.lower() for origin in origins}

    def allows_host(self, host: str | None) -> bool:
        return host is not None and self._allows(f"//{host}")

    def allows_origin(self, origin: str) -> bool:
        return self.allows_foreign(origin) or ("://" in origin and self._allows(origin))

    def allows_foreign(self, origin: str) -> bool:
        """Tells whether the Origin was added by `let_in`."""
        scheme, separator, _ = origin.lower().partition("://")
        return origin.lower() in self._origins or scheme + separator in self._origins

    def is_public(self, host: str | None) -> bool:
        """Tells whether a Host is one of the deployment's names beyond this machine."""
        return host is not None and host_name(f"//{host}") in self._names - {*LOOPBACK}

    def _allows(self, url: str) -> bool:
        if url in self._known:
            return True
        name = host_name(url)
        if name is None or name not in self._names:
            return False
        # Only allowed names are cached, and these come with few ports, so no client can make this grow.
        if len(self._known) < 100:
            self._known.add(url)
        return True


class AnyName(Names):
    """Answers to every Host, where nobody knows under which names a server is reached; Origins are compared."""

    def __init__(self) -> None:
        super().__init__(())

    def allows_host(self, _host: str | None) -> bool:
        return True


def host_name(url: str) -> str | None:
    """Returns the host in `//host:port` or an origin in the form in which names are compared; None if there is none."""
    try:
        name = urlsplit(url).hostname
    except ValueError:
        return None
    return _folded(name) if name is not None and len(name) <= MAX_NAME else None


def _folded(name: str) -> str:
    """Returns an IP address in its canonical form, anything else in lower case."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")
