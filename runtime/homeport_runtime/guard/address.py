"""Tells from which address a request comes, by one rule for limits and the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from ..asgi import Scope
from .names import LOOPBACK, Names
from .shown import shown

# The key of an ASGI scope under which the guard keeps the address of a sender that nobody has identified.
ADDRESS = "homeport.address"
FORWARDED = b"x-forwarded-for"
# The longest address that is believed, in characters: an IPv6 address with a zone.
MAX_ADDRESS = 64


def address_of(scope: Scope, headers: Mapping[bytes, bytes], names: Names) -> str | None:
    """Returns the address of a request's sender, None if nothing is known; `headers` are the first ones of each name.

    What a proxy names (X-Forwarded-For) is believed if the connection comes from this machine, where the platform's own
    proxy is, and for the public `names` alone, which lead through it: anybody else could write the header. Of several
    values the last counts, which the nearest proxy has added.
    """
    peer = scope.get("client")
    if not peer:
        return None
    host = str(peer[0])
    # uvicorn puts what the header says in the place of a peer on this machine, with the port 0.
    if FORWARDED not in headers or not (host in LOOPBACK or peer[1] == 0):
        return host
    requested = headers.get(b"host", b"").decode("latin-1")
    named = [bytes(value).decode("latin-1") for key, value in scope["headers"] if key == FORWARDED][-1]
    forwarded = named.rpartition(",")[2].strip()
    return shown(forwarded, MAX_ADDRESS) if forwarded and names.is_public(requested) else "127.0.0.1"
