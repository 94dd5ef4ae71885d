"""Looks at the certificates that Caddy shows: one that ends soon has not been renewed, as Caddy does 30 days before."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time

from ..alerts.model import Event
from .edge import Edge

# Certificates of three months are renewed long before this; those that live shorter, at two thirds of their life.
SOON_S = 14 * 86_400.0
EVERY_S = 3600.0
TIMEOUT_S = 10.0


class Certificates:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._looked_at = 0.0
        self._found: list[Event] = []

    async def look(self, projects: list[str]) -> list[Event]:
        """Returns what is wrong: what Caddy says, and certificates that end soon, which are looked at once an hour."""
        domain = self._edge.domain
        if domain is None:
            return []
        if time.monotonic() - self._looked_at > EVERY_S or not self._looked_at:
            self._looked_at = time.monotonic()
            hosts = [domain.name, *map(domain.host, projects)]
            self._found = await asyncio.to_thread(_ending, hosts, domain.port)
        if self._edge.error is None:
            return self._found
        title = "Caddy does not serve the public names"
        return [Event("certificate", None, title, self._edge.error, lasts=True), *self._found]


def _ending(hosts: list[str], port: int) -> list[Event]:
    found = []
    for host in hosts:
        left = seconds_left(host, port)
        if left is not None and left[0] < min(SOON_S, left[1] / 6):
            text = f"it ends in {max(left[0], 0) / 86_400:.0f} days"
            found.append(
                Event("certificate", None, f"the certificate of {host} is not renewed", text, host, lasts=True)
            )
    return found


def seconds_left(host: str, port: int) -> tuple[float, float] | None:
    """Returns for how many seconds the certificate of a host on this machine is valid from now, and from its start;
    None if there is none.
    """
    # Imported late: without a domain nobody needs it.
    from cryptography import x509

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as connected,
        ):
            data = connected.getpeercert(binary_form=True)
        certificate = x509.load_der_x509_certificate(data or b"")
    except (OSError, ValueError):
        return None
    end, start = certificate.not_valid_after_utc.timestamp(), certificate.not_valid_before_utc.timestamp()
    return end - time.time(), end - start
