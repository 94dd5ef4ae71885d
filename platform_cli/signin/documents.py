"""Fetches clients' metadata documents (draft-ietf-oauth-client-id-metadata-document), from public addresses alone.

Whoever asks for a sign-in chooses the URL, so this must not become a way into the platform's own network (SSRF), which
`platform_cli.outbound` sees to.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..outbound.addresses import Resolve
from ..outbound.requests import Outbound
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


class Documents:
    """Finds clients by the URL of their document. `resolve` looks up a host, and `context` says whose certificates are
    trusted.
    """

    def __init__(
        self, clients: RegisteredClients, resolve: Resolve | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self._clients = clients
        self._outbound = Outbound(resolve, context)
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
        async with self._outbound.answered("GET", url, {"accept": "application/json"}) as response:
            return await _document_of(response)


async def _document_of(response: httpx.Response) -> tuple[bytes, float]:
    if response.status_code != 200:
        raise OSError(f"HTTP {response.status_code}")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_METADATA:
            raise OSError(f"it has more than {MAX_METADATA} bytes")
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


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it took more than {FETCH_S:g} s"
    return "its host is unknown" if isinstance(error, socket.gaierror) else str(error)
