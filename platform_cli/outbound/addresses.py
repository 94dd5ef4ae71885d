"""Tells which addresses belong to the public internet, and looks up hosts."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

# A name server that is slow on purpose holds a thread for long, and the platform needs its others.
_RESOLVERS = ThreadPoolExecutor(4, "resolver")

# Leads to the IPv4 address in its last 32 bits (RFC 6052). What is not in the other prefix is no address of the public
# internet (RFC 4291, section 2.4), though Python says so of some: a network's own translators have 64:ff9b:1::/48.
_TRANSLATED, _GLOBAL = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2000::/3")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class PrivateAddressError(OSError):
    """Says that a host leads into a network of one's own, or nowhere."""


async def find_addresses(host: str, port: int, resolve: Resolve | None = None, *, private: bool = False) -> list[str]:
    """Returns the addresses to connect to, looked up once: a name that leads elsewhere a moment later changes nothing.

    Raises PrivateAddressError if one of them is not public, unless `private` allows that, and OSError if the host is
    unknown.
    """
    addresses = await (resolve or resolve_host)(host, port)
    if not addresses or not (private or all(map(is_public_address, addresses))):
        raise PrivateAddressError("its host has no public address")
    return addresses


def is_public_address(address: str) -> bool:
    """Tells whether an IP address belongs to the public internet, as does the IPv4 address within one of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        elif found not in _GLOBAL:
            return False
        if inner is not None and not is_public_address(str(inner)):
            return False
    return found.is_global and not found.is_multicast


async def resolve_host(host: str, port: int) -> list[str]:
    """Returns the addresses of a host.

    Raises OSError if it is unknown.
    """
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, look_up)
    return [str(address[4][0]) for address in found]
