"""Reads what a client says of itself: in a dynamic registration (RFC 7591), or in its metadata document."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from .model import Client, OAuthError
from .redirects import may_register, without_port

# The most bytes of a registration or of a document.
MAX_METADATA = 5 * 1024
MAX_NAME = 100
MAX_REDIRECTS = 20


def read_registration(body: bytes) -> Client:
    """Returns the client of a dynamic registration.

    The same program is the same client: its id is a hash of what it says, so that registering again and again leaves
    one client. Redirect URIs that are not allowed are left out, since some clients send several and need one.

    Raises OAuthError if nothing is left.
    """
    said = _object(body, "invalid_client_metadata")
    uris = said.get("redirect_uris")
    allowed = tuple(dict.fromkeys(filter(may_register, uris))) if isinstance(uris, list) else ()
    if not 0 < len(allowed) <= MAX_REDIRECTS:
        raise OAuthError(
            "invalid_redirect_uri",
            "redirect_uris must be https, http on 127.0.0.1, [::1] or localhost, or an app's own",
        )
    name = shown_name(said.get("client_name")) or "a client without a name"
    identity = json.dumps([name, sorted(set(map(without_port, allowed)))])
    return Client(f"{_slug(name)}-{hashlib.sha256(identity.encode()).hexdigest()[:24]}", name, allowed)


def registered(client: Client, body: bytes) -> dict[str, Any]:
    """Returns the answer to a registration: no nulls and whole numbers, for clients that fail on others."""
    said = json.loads(body)
    answer: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": int(time.time()),
        "client_name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    # What is registered is no ceiling: an authorization may ask for more.
    return {**answer, "scope": said["scope"]} if isinstance(said.get("scope"), str) else answer


def read_document(url: str, body: bytes) -> Client:
    """Returns the client of a metadata document that was fetched from `url`
    (draft-ietf-oauth-client-id-metadata-document).

    Raises OAuthError if it is another client's document, or none.
    """
    said = _object(body, "invalid_client")
    uris = said.get("redirect_uris")
    allowed = tuple(filter(may_register, uris[:MAX_REDIRECTS])) if isinstance(uris, list) else ()
    name = shown_name(said.get("client_name"))
    if said.get("client_id") != url or not name or not allowed:
        raise OAuthError("invalid_client", "the client's document must have its own URL, a name and redirect URIs")
    if "client_secret" in said:
        raise OAuthError("invalid_client", "the client's document has a secret, which everybody can read")
    return Client(url, name, allowed)


def shown_name(name: object) -> str:
    """Returns a client's name as it may be shown: one line, without characters that are invisible or change the
    direction of writing.
    """
    if not isinstance(name, str):
        return ""
    return " ".join("".join(each if each.isprintable() else " " for each in name[: 4 * MAX_NAME]).split())[:MAX_NAME]


def _object(body: bytes, code: str) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise OAuthError(code, "the metadata must be a JSON object")
    return said


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32] or "client"
