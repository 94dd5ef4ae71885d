"""Fetches the keys of somebody else's authorization server (JWKS, RFC 7517) where no platform tells of them."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

# The seconds before which keys are not fetched again, whatever tokens say, and those for which a caller waits.
AGAIN_S = 60.0
WAIT_S = 4.0
# The seconds for which one read or write may take.
TIMEOUT_S = 3.0
MAX_BYTES = 256 * 1024
# The types of keys that verify signatures which others cannot make: never `oct`, which is a shared secret.
PUBLIC = ("RSA", "EC", "OKP")

Keys = Sequence[Mapping[str, Any]]
# What is raised where keys cannot be had.
UNAVAILABLE = (OSError, http.client.HTTPException, ValueError, RecursionError)


class IssuerKeys:
    """Knows the keys at `url`, the issuer's `jwks_uri`; any number of threads may ask for them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: Keys | None = None
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    def renewed(self) -> Keys | None:
        """Returns the keys that were fetched last, None if there are none: they are fetched now unless that was tried
        within the last minute.
        """
        with self._lock:
            now = time.monotonic()
            if self._asked_at is None or now - self._asked_at >= AGAIN_S:
                self._asked_at = now
                # Each read has its own limit, and a slow issuer may need many: a thread bounds them all, and what comes
                # later is there for the next token.
                fetching = threading.Thread(target=self._fetch, name="issuer-keys", daemon=True)
                fetching.start()
                fetching.join(WAIT_S)
        return self._keys

    def _fetch(self) -> None:
        try:
            self._keys = fetch_keys(self._url) or self._keys
        except UNAVAILABLE as error:
            warn(error)


def fetch_keys(url: str) -> Keys:
    """Returns the keys at a URL that verify signatures.

    Raises one of UNAVAILABLE if they cannot be had.
    """
    return verifying(json.loads(_get(url)))


def warn(error: Exception) -> None:
    """Says in the log that keys cannot be had."""
    # Imported late, since issuers rarely fail.
    from ..telemetry import emit

    emit("warning", f"the keys of the issuer cannot be had, so those of before are used: {error!r}")


def verifying(said: object) -> list[Mapping[str, Any]]:
    """Returns those keys of a key set that verify signatures, none if it is no key set."""
    keys = said.get("keys") if isinstance(said, dict) else None
    return [
        each
        for each in (keys if isinstance(keys, list) else ())
        if isinstance(each, dict) and each.get("kty") in PUBLIC and each.get("use", "sig") == "sig"
    ]


def _get(url: str) -> bytes:
    """Returns what is at a URL, and follows no redirect: it could lead to an address that only this process reaches."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=ssl.create_default_context())
    else:
        # Only an issuer on this machine may have such a URL, as the deploy has checked.
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request("GET", target, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(f"HTTP {answer.status}")
        body = answer.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return body
    finally:
        connection.close()
