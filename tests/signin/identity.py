"""Makes an authorization server that is nobody's here, with its keys, and tokens of it."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from .stand_in import Answer, StandIn, running

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
LATER = ec.generate_private_key(ec.SECP256R1())


def jwk(algorithm: Any, key: Any, kid: str) -> dict[str, Any]:
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


class Identity(StandIn):
    """Is an identity provider with its metadata and keys, on this machine; it is called by its realm."""

    def __init__(self) -> None:
        self.keys = [jwk(RSAAlgorithm, RSA, "rsa"), jwk(ECAlgorithm, EC, "ec"), jwk(OKPAlgorithm, ED, "ed")]
        self.keys.append({"kty": "oct", "k": "c2VjcmV0", "kid": "shared"})
        self.fetched = 0
        self.is_broken = False
        # What a platform tells beside its keys.
        self.ended: list[str] | None = None

    def begin(self, url: str) -> None:
        self.url = f"{url}/realm"
        # Where it says that its keys are.
        self.place = f"{self.url}/keys"

    def get(self, path: str, _authorization: str | None) -> Answer | None:
        said: Answer | None = None
        if path == "/realm/.well-known/openid-configuration":
            said = {"issuer": self.url, "jwks_uri": self.place}
        if path == "/realm/keys":
            self.fetched += 1
            said = {"keys": self.keys, **({"ended": self.ended} if self.ended is not None else {})}
        return None if self.is_broken else said

    def token(self, audience: object, key: Any = EC, algorithm: str = "ES256", kid: str = "ec", **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": audience, "sub": "alice", "azp": "claude", "iat": now, "exp": now + 600}
        return jwt.encode(said | claims, key, algorithm, headers={"kid": kid})


def running_identity() -> AbstractContextManager[Identity]:
    return running(Identity())
