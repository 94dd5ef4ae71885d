"""Fetches the keys of somebody else's authorization server (JWKS, RFC 7517) where no platform tells of them, and the
sign-ins that have ended, which a platform lists beside its keys.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# The seconds before which keys are not fetched again, whatever tokens say, and those for which a caller waits.
AGAIN_S = 60.0
WAIT_S = 4.0
# The seconds for which nobody asks again which sign-ins have ended, and those for which a call waits for the answer.
ENDED_S = 60.0
ENDED_WAIT_S = 1.0
# The seconds for which one read or write may take.
TIMEOUT_S = 3.0
MAX_BYTES = 512 * 1024
# The types of keys that verify signatures which others cannot make: never `oct`, which is a shared secret.
PUBLIC = ("RSA", "EC", "OKP")

Keys = Sequence[Mapping[str, Any]]
# What is raised where keys cannot be had.
UNAVAILABLE = (OSError, http.client.HTTPException, ValueError, RecursionError)


@dataclass(frozen=True)
class KeySet:
    """Is what an issuer says at its `jwks_uri`: the keys that verify signatures, and the ids (`jti`) of the sign-ins
    that have ended while access tokens of theirs may still be valid. Only a platform tells of these.
    """

    keys: Keys
    ended: frozenset[str] = frozenset()


class IssuerKeys:
    """Knows what is at `url`, the issuer's `jwks_uri`; any number of threads may ask for it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._said: KeySet | None = None
        # In seconds since 1970: a function's own clock may stand still while it is frozen.
        self._heard_at = 0.0
        self._asked_at: float | None = None
        self._fetching: threading.Thread | None = None
        self._lock = threading.Lock()

    def renewed(self) -> Keys | None:
        """Returns the keys that were fetched last, None if there are none: they are fetched now unless that was tried
        within the last minute.
        """
        self._ask(WAIT_S)
        return self._said.keys if self._said is not None else None

    def ended(self, issued_at: float, wait_s: float = ENDED_WAIT_S) -> frozenset[str]:
        """Returns the sign-ins that have ended, as of a minute ago or later, for a token that was issued at
        `issued_at`, in seconds since 1970: one of the last minute is believed unasked.

        Where they cannot be had within `wait_s` it is those of before.
        """
        now = time.time()
        if now - issued_at >= ENDED_S and not 0 <= now - self._heard_at < ENDED_S:
            self._ask(wait_s)
        return self._said.ended if self._said is not None else frozenset()

    def _ask(self, wait_s: float) -> None:
        with self._lock:
            now = time.monotonic()
            if self._asked_at is None or now - self._asked_at >= AGAIN_S:
                self._asked_at = now
                # Each read has its own limit, and a slow issuer may need many: a thread bounds them all, and what comes
                # later is there for the next token.
                self._fetching = threading.Thread(target=self._fetch, name="issuer-keys", daemon=True)
                self._fetching.start()
        if self._fetching is not None:
            self._fetching.join(wait_s)

    def _fetch(self) -> None:
        asked_at = time.time()
        try:
            said = fetch_key_set(self._url)
        except UNAVAILABLE as error:
            warn(error)
            return
        if said.keys:
            self._said, self._heard_at = said, asked_at


def fetch_key_set(url: str) -> KeySet:
    """Returns what an issuer says at a URL.

    Raises one of UNAVAILABLE if that cannot be had.
    """
    said = json.loads(ask(url))
    ended = said.get("ended") if isinstance(said, dict) else None
    return KeySet(verifying(said), frozenset(map(str, ended)) if isinstance(ended, list) else frozenset())


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


def ask(url: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> bytes:
    """Returns what an issuer answers at a URL, and follows no redirect: it could lead to an address that only this
    process reaches.

    Raises one of UNAVAILABLE, and that is ValueError for an answer that is no success.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=ssl.create_default_context())
    else:
        # Only an issuer on this machine may have such a URL, as the deploy has checked.
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request(method, target, headers={"Accept": "application/json", **(headers or {})})
        with connection.getresponse() as answer:
            if not 200 <= answer.status < 300:
                raise ValueError(f"HTTP {answer.status}")
            body = answer.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return body
    finally:
        connection.close()
