"""Keeps the keys of other authorization servers (JWKS, RFC 7517), which workers are told."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from homeport_runtime.guard.issuer_keys import MAX_BYTES, verifying

from ..errors import PlatformError

if TYPE_CHECKING:
    import httpx

# The seconds after which keys are fetched anew, and those before which they are not, whatever tokens say.
FRESH_S = 3600.0
AGAIN_S = 60.0
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class FoundKeys:
    """Holds the keys of an issuer, and the URL at which they are; a platform lists ended sign-ins beside them."""

    url: str
    keys: list[Mapping[str, Any]]
    is_platform: bool


class Issuers:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._asked_at: dict[str, float] = {}
        db.execute(
            "CREATE TABLE IF NOT EXISTS signin_issuers (url TEXT PRIMARY KEY, keys TEXT NOT NULL, "
            "fetched_at REAL NOT NULL) STRICT"
        )

    def keys(self, issuer: str) -> list[dict[str, Any]]:
        """Returns the keys that were fetched last, none before that."""
        row = self._db.execute("SELECT keys FROM signin_issuers WHERE url = ?", (issuer,)).fetchone()
        return list(json.loads(row[0])) if row else []

    async def fetch(self, issuer: str) -> bool:
        """Fetches the keys of an issuer, and tells whether they have changed.

        Raises PlatformError, and keeps those that there are, if they cannot be had.
        """
        self._asked_at[issuer] = time.monotonic()
        keys = (await find_keys(issuer)).keys
        changed = keys != self.keys(issuer)
        self._db.execute(
            "INSERT OR REPLACE INTO signin_issuers VALUES (?, ?, ?)", (issuer, json.dumps(keys), time.time())
        )
        return changed

    def is_due(self, issuer: str, *, is_wanted: bool = False) -> bool:
        """Tells whether keys should be fetched: once an hour, and sooner, but once a minute, if a key is wanted."""
        asked_at = self._asked_at.get(issuer)
        return asked_at is None or time.monotonic() - asked_at > (AGAIN_S if is_wanted else FRESH_S)


async def find_keys(issuer: str) -> FoundKeys:
    """Fetches the keys of an issuer.

    Raises PlatformError if they cannot be had.
    """
    # Imported late, since that takes long, and few need it.
    import httpx

    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as http:
            return await _find_keys(http, issuer)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise PlatformError(
            f"the keys of {issuer} cannot be had: {error or type(error).__name__}",
            hint="issuer under [auth] is the URL below which /.well-known/openid-configuration is; a platform has that "
            "as soon as people sign in to something by it: `homeport platform resource add`",
        ) from error


async def _find_keys(http: httpx.AsyncClient, issuer: str) -> FoundKeys:
    import httpx

    wrong = (httpx.HTTPError, ValueError, KeyError, TypeError)
    missing: Exception | None = None
    unusable: Exception | None = None
    for url in metadata_urls(issuer):
        try:
            said = await _json(http, url)
            if said["issuer"] != issuer:
                raise ValueError(f"{url} is the metadata of {said['issuer']!r}")
        except wrong as error:
            missing = error
            continue
        try:
            return await _keys_at(http, said["jwks_uri"], issuer)
        except wrong as error:
            unusable = error
    # What is wrong with metadata that is there says more than where there is none.
    last = unusable or missing
    raise ValueError(str(last) or type(last).__name__)


async def _keys_at(http: httpx.AsyncClient, place: object, issuer: str) -> FoundKeys:
    if not isinstance(place, str) or not _is_safe(place, issuer):
        raise ValueError(f"its metadata says that they are at {place!r}, where others could change them")
    said = await _json(http, place)
    keys = verifying(said)
    if not keys:
        raise ValueError(f"{place} has no key that verifies signatures")
    return FoundKeys(place, keys, isinstance(said.get("ended"), list))


def _is_safe(place: str, issuer: str) -> bool:
    """Tells whether keys are where nobody changes them on the way: at an https URL, or at an issuer on this machine."""
    parts = urlsplit(place)
    return (parts.scheme == "https" and bool(parts.netloc)) or parts[:2] == urlsplit(issuer)[:2]


def metadata_urls(issuer: str) -> Iterable[str]:
    """Yields where an issuer's metadata may be (RFC 8414, section 3; OpenID Connect Discovery 1.0, section 4)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}"
    yield f"{root}/.well-known/oauth-authorization-server{path}"
    yield f"{root}{path}/.well-known/openid-configuration"
    if path:
        yield f"{root}/.well-known/openid-configuration{path}"


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    response = await http.get(url, headers={"accept": "application/json"})
    response.raise_for_status()
    if len(response.content) > MAX_BYTES:
        raise ValueError(f"{url} has more than {MAX_BYTES} bytes")
    said = response.json()
    if not isinstance(said, dict):
        raise ValueError(f"{url} is no JSON object")  # noqa: TRY004 - what is wrong is what was fetched
    return said
