"""Bounds what one address may begin, so that it cannot push out what others have begun, since only so much is stored,
and what it may report, each of which costs a check of a signature.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request

from homeport_runtime.asgi import first_headers
from homeport_runtime.guard.address import address_of
from homeport_runtime.guard.names import Names
from homeport_runtime.guard.windows import Bucket, Rate, SharedWindows

from .model import OAuthError

# In the life of a sign-in (pending.LIFE_S) that is less than there is room for (pending.MAX_PENDING, and
# registered_clients.MAX_UNUSED).
BEGUN = Rate(30, 60.0)
# Many users of a server elsewhere may have its address. What is not heard is reported again with the next refusal.
REPORTED = Rate(600, 60.0)
_RATES = (BEGUN, REPORTED)


class Peers:
    """Counts what comes from each address where strangers come: the registrations and sign-ins that it begins, and what
    it reports. `issuer` returns this server's public URL.
    """

    def __init__(self, issuer: Callable[[], str]) -> None:
        self._issuer = issuer
        self._windows = SharedWindows(_RATES)

    def count(self, request: Request, rate: Rate = BEGUN) -> None:
        """Counts a request under its `rate`.

        Raises OAuthError if there are too many of the same address.
        """
        names = Names([urlsplit(self._issuer()).hostname or ""])
        address = address_of(request.scope, first_headers(request.scope), names)
        _, wait = self._windows.take([Bucket(_RATES.index(rate), network_of(address or "unknown"))])
        if wait:
            again = f"too many come from your address: try again in {math.ceil(wait)} seconds"
            raise OAuthError("temporarily_unavailable", again, 429)


def network_of(host: str) -> str:
    """Returns whom an address belongs to: itself, or the network of 64 bits that one customer has in IPv6."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found), 64), strict=False))
