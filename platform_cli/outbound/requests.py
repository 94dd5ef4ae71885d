"""Sends HTTP requests to the very address that was looked up and checked; a redirection is an answer like others."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .addresses import Resolve, find_addresses

if TYPE_CHECKING:
    import httpx

# The seconds for each step of a request: to connect, to send, and to receive something.
STEP_S = 10.0
PORTS = {"https": 443, "http": 80}


class Outbound:
    """Sends requests; `resolve` looks up a host, and `context` says whose certificates are trusted."""

    def __init__(self, resolve: Resolve | None = None, context: ssl.SSLContext | None = None) -> None:
        self.resolve = resolve
        self._context = context

    @asynccontextmanager
    async def answered(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, private: bool = False
    ) -> AsyncIterator[httpx.Response]:
        """Yields the answer to a request, whose body is not read yet; with `private` the host may have any address.

        Raises OSError if there is none. That no answer takes longer than it may is the caller's to see to.
        """
        # Imported late, since that takes long, and the platform serves before it asks anybody.
        import httpx

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        addresses = await find_addresses(host, port, self.resolve, private=private)
        requests = [
            httpx.Request(
                method,
                parts._replace(netloc=f"[{address}]:{port}" if ":" in address else f"{address}:{port}").geturl(),
                headers={"host": parts.netloc.rpartition("@")[2], "user-agent": "homeport", **headers},
                content=body,
                extensions={"sni_hostname": host},
            )
            for address in addresses
        ]
        try:
            # Settings of the environment, such as a proxy, would lead elsewhere than to that address.
            async with httpx.AsyncClient(verify=self.context, trust_env=False, timeout=STEP_S) as http:
                response = await _first_answer(http, requests)
                try:
                    yield response
                finally:
                    await response.aclose()
        except httpx.HTTPError as error:
            raise OSError(type(error).__name__) from error

    @property
    def context(self) -> ssl.SSLContext:
        """Returns whose certificates are trusted, by default what this machine trusts."""
        if self._context is None:
            # Once, since reading all certificates takes some ten milliseconds of the platform's only thread.
            self._context = ssl.create_default_context()
        return self._context


async def _first_answer(http: httpx.AsyncClient, requests: list[httpx.Request]) -> httpx.Response:
    """Returns the answer of the first address that can be connected to: a name may lead to some that cannot."""
    import httpx

    for request in requests[:-1]:
        with suppress(httpx.ConnectError, httpx.ConnectTimeout):
            return await http.send(request, stream=True)
    return await http.send(requests[-1], stream=True)
