"""Signs access tokens: JWTs (RFC 9068), which homeport_runtime.guard.own_tokens checks for projects here, and
homeport_runtime.guard.issued_tokens elsewhere.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from .model import OFFLINE_ACCESS, Grant

# The seconds for which an access token is valid: for a project here, and for a resource elsewhere, which hears a minute
# later that a sign-in has ended, and not while this platform cannot be reached.
ACCESS_S = 3600
REMOTE_ACCESS_S = 900


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs by one key: `algorithm` as JWTs name it (RFC 7518, section 3.1), and the key's id."""

    algorithm: str
    key_id: str
    sign: Callable[[bytes], bytes]


def sign_access_token(grant: Grant, issuer: str, signer: Signer, life_s: int) -> str:
    now = int(time.time())
    head = {"typ": "at+jwt", "alg": signer.algorithm, "kid": signer.key_id}
    claims = {
        "iss": issuer,
        "aud": grant.resource,
        "sub": grant.user,
        "client_id": grant.client,
        "scope": " ".join(scope for scope in grant.scopes if scope != OFFLINE_ACCESS),
        "iat": now,
        "exp": now + life_s,
        "jti": grant.id,
    }
    signed = f"{_encoded(head)}.{_encoded(claims)}"
    return f"{signed}.{_base64url(signer.sign(signed.encode()))}"


def _encoded(value: object) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
