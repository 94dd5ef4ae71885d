"""Fetches clients' metadata documents (draft-ietf-oauth-client-id-metadata-document), from public addresses alone.

Whoever asks for a sign-in chooses the URL, so this must not become a way into the platform's own network (SSRF): the
address is looked up and checked here, and the connection goes to that very address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .model import Client, OAuthError
from .registered_clients import RegisteredClients
from .registration import MAX_METADATA, read_document

if TYPE_CHECKING:
    import httpx

# The documents that are fetched at a time.
MAX_FETCHES = 4
# The seconds that a document may take, and those for which it is kept at least and at most, whatever its server says.
FETCH_S = 10.0
MIN_FRESH_S = 300.0
MAX_FRESH_S = 86_400.0
MAX_URL = 500

# A name server that is slow on purpose holds a thread for longer than FETCH_S, and the platform needs its others.
_RESOLVERS = ThreadPoolExecutor(MAX_FETCHES, "resolver")

# Leads to the IPv4 address in its last 32 bits (RFC 6052). What is not in the other prefix is no address of the public
# internet (RFC 4291, section 2.4), though Python says so of some: a network's own translators have 64:ff9b:1::/48.
_TRANSLATED, _GLOBAL = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2000::/3")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Documents:
    """Finds clients by the URL of their document. `resolve` looks up a host, and `context` says whose certificates are
    trusted.
    """

    def __init__(
        self, clients: RegisteredClients, resolve: Resolve | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self._clients = clients
        self._resolve = resolve or resolve_host
        self._context = context
        self._fetching = asyncio.Semaphore(MAX_FETCHES)

    async def find(self, url: str) -> Client:
        """Returns the client whose id is `url`.

        Raises OAuthError if its document cannot be had or is not one.
        """
        if known := self._clients.find(url):
            return known
        if not is_document_url(url):
            raise OAuthError("invalid_client", "a client's id must be an https URL with a path, and nothing else")
        try:
            async with asyncio.timeout(FETCH_S), self._fetching:
                body, fresh_s = await self._fetch(url)
        except (TimeoutError, OSError) as error:
            raise OAuthError("invalid_client", f"the client's document cannot be had: {_reason(error)}") from error
        client = read_document(url, body)
        self._clients.put(client, time.time() + min(max(fresh_s, MIN_FRESH_S), MAX_FRESH_S))
        return client

    async def _fetch(self, url: str) -> tuple[bytes, float]:
        # Imported late, since that takes long, and the platform serves before anybody signs in.
        import httpx

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        address = await self._public_address(host, port)
        if self._context is None:
            # Once, since reading all certificates takes some ten milliseconds of the platform's only thread.
            self._context = ssl.create_default_context()
        shown = f"[{address}]" if ":" in address else address
        request = httpx.Request(
            "GET",
            parts._replace(netloc=f"{shown}:{port}").geturl(),
            headers={"host": parts.netloc, "accept": "application/json", "user-agent": "homeport"},
            extensions={"sni_hostname": host},
        )
        try:
            # Settings of the environment, such as a proxy, would lead elsewhere than to that address.
            async with httpx.AsyncClient(verify=self._context, trust_env=False, timeout=FETCH_S) as http:
                response = await http.send(request, stream=True)
                return await _document_of(response)
        except httpx.HTTPError as error:
            raise OSError(type(error).__name__) from error

    async def _public_address(self, host: str, port: int) -> str:
        addresses = await self._resolve(host, port)
        if not addresses or not all(map(is_public_address, addresses)):
            raise OSError("its host has no public address")
        return addresses[0]


async def _document_of(response: httpx.Response) -> tuple[bytes, float]:
    try:
        if response.status_code != 200:
            raise OSError(f"HTTP {response.status_code}")
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > MAX_METADATA:
                raise OSError(f"it has more than {MAX_METADATA} bytes")
    finally:
        await response.aclose()
    age = re.search(r"max-age=(\d{1,9})", response.headers.get("cache-control", ""))
    return bytes(body), float(age[1]) if age else 0.0


def is_document_url(url: str) -> bool:
    """Tells whether a client's id is the URL of a document: https, a host by name, a path, no fragment or dots."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    segments = parts.path.split("/")
    return (
        len(url) <= MAX_URL
        and re.fullmatch(r"[\x21-\x7e]+", url) is not None
        and parts.scheme == "https"
        and bool(parts.hostname)
        and port != 0
        and parts.path not in ("", "/")
        and not {".", ".."} & set(segments)
        and not any(sign in url for sign in "#@\\")
    )


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
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, look_up)
    return [str(address[4][0]) for address in found]


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it took more than {FETCH_S:g} s"
    return "its host is unknown" if isinstance(error, socket.gaierror) else str(error)
