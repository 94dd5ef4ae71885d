"""Makes an authorization server that is nobody's here, with its keys, and tokens of it."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
LATER = ec.generate_private_key(ec.SECP256R1())


def jwk(algorithm: Any, key: Any, kid: str) -> dict[str, Any]:
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


class Identity:
    """Is an identity provider with its metadata and keys, on this machine."""

    def __init__(self) -> None:
        self.keys = [jwk(RSAAlgorithm, RSA, "rsa"), jwk(ECAlgorithm, EC, "ec"), jwk(OKPAlgorithm, ED, "ed")]
        self.keys.append({"kty": "oct", "k": "c2VjcmV0", "kid": "shared"})
        self.fetched = 0
        self.is_broken = False
        identity = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said: dict[str, Any] | None = None
                if self.path == "/realm/.well-known/openid-configuration":
                    said = {"issuer": identity.url, "jwks_uri": identity.place}
                if self.path == "/realm/keys":
                    identity.fetched += 1
                    said = {"keys": identity.keys}
                body = json.dumps(said).encode()
                self.send_response(200 if said and not identity.is_broken else 500)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"
        # Where it says that its keys are.
        self.place = f"{self.url}/keys"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, audience: object, key: Any = EC, algorithm: str = "ES256", kid: str = "ec", **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": audience, "sub": "alice", "azp": "claude", "iat": now, "exp": now + 600}
        return jwt.encode(said | claims, key, algorithm, headers={"kid": kid})


@contextmanager
def running_identity() -> Iterator[Identity]:
    identity = Identity()
    try:
        yield identity
    finally:
        identity.server.shutdown()
        identity.server.server_close()
