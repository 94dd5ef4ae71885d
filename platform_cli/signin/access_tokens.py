"""Signs access tokens: JWTs (RFC 9068) with HMAC-SHA-256, which homeport_runtime.guard.own_tokens checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

from .model import OFFLINE_ACCESS, Grant

# The seconds for which an access token is valid.
ACCESS_S = 3600


def sign_access_token(grant: Grant, issuer: str, key_id: str, key: bytes) -> str:
    now = int(time.time())
    head = {"typ": "at+jwt", "alg": "HS256", "kid": key_id}
    claims = {
        "iss": issuer,
        "aud": grant.resource,
        "sub": grant.user,
        "client_id": grant.client,
        "scope": " ".join(scope for scope in grant.scopes if scope != OFFLINE_ACCESS),
        "iat": now,
        "exp": now + ACCESS_S,
        "jti": grant.id,
    }
    signed = f"{_encoded(head)}.{_encoded(claims)}"
    signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def _encoded(value: object) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
