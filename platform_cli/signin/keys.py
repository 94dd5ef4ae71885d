"""Derives the keys for access tokens from the platform's own key (HKDF, RFC 5869).

Each project here has keys of its own, which its workers have, too: so a server can forge tokens for itself alone. What
runs elsewhere verifies by public keys, whose private halves never leave the platform.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .access_tokens import Signer
from .key_numbers import KeyNumbers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEY_BYTES = 32
# The seconds after which a project's new key signs: until then all workers have heard of it.
HEARD_S = 300.0
# The same for public keys, which others fetch once an hour (homeport_runtime.hosts.container.issuer).
PUBLIC_HEARD_S = 2 * 3600.0
# The owner of the public keys: no project's name has such a sign.
PUBLIC = "/jwks"
# The order of the curve P-256 (NIST SP 800-186, section 3.2.1.3), and the bytes that choose a number below it without
# preferring any (FIPS 186-5, section A.2.1).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR_BYTES = 40
COORDINATE_BYTES = 32

PlatformKey = Callable[[], bytes]


class ProjectKeys:
    """Holds the keys of all projects here, shared by the platform and a project's workers."""

    def __init__(self, db: sqlite3.Connection, platform_key: PlatformKey) -> None:
        self._platform_key = platform_key
        self._numbers = KeyNumbers(db, HEARD_S)
        self.rotate_old = self._numbers.rotate_old
        self.replace = self._numbers.replace

    def accepted(self, project: str) -> dict[str, str]:
        """Returns the keys that a project's workers accept, in hexadecimal digits by their id, the newest first."""
        return {str(number): self._derive(project, number).hex() for number in self._numbers.accepted(project)}

    def signing(self, project: str) -> Signer:
        number = self._numbers.signing(project)
        key = self._derive(project, number)
        return Signer("HS256", str(number), lambda data: hmac.new(key, data, hashlib.sha256).digest())

    def _derive(self, project: str, number: int) -> bytes:
        return _derive(self._platform_key(), f"homeport access tokens\0{project}\0{number}", KEY_BYTES)


class PublicKeys:
    """Holds the keys for tokens that are shown elsewhere (ES256, RFC 7518, section 3.4)."""

    def __init__(self, db: sqlite3.Connection, platform_key: PlatformKey) -> None:
        self._platform_key = platform_key
        self._numbers = KeyNumbers(db, PUBLIC_HEARD_S)

    def jwks(self) -> list[dict[str, Any]]:
        """Returns the keys that verify (RFC 7517), the newest first."""
        return [_jwk(self._derive(number)) for number in self._numbers.accepted(PUBLIC)]

    def signing(self) -> Signer:
        key = self._derive(self._numbers.signing(PUBLIC))
        return Signer("ES256", _jwk(key)["kid"], lambda data: _signature(key, data))

    def has_signed(self, key_id: str, data: bytes, signature: bytes) -> bool:
        """Tells whether the key of that id has made a signature of `data`."""
        keys = (self._derive(number) for number in self._numbers.accepted(PUBLIC))
        key = next((each for each in keys if _jwk(each)["kid"] == key_id), None)
        return key is not None and _is_signature(key, data, signature)

    def rotate_old(self) -> bool:
        return self._numbers.rotate_old(PUBLIC)

    def _derive(self, number: int) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives.asymmetric import ec

        drawn = _derive(self._platform_key(), f"homeport public keys\0{number}", SCALAR_BYTES)
        return ec.derive_private_key(int.from_bytes(drawn, "big") % (ORDER - 1) + 1, ec.SECP256R1())


def _derive(platform_key: bytes, info: str, size: int) -> bytes:
    return HKDF(SHA256(), size, salt=None, info=info.encode()).derive(platform_key)


def _jwk(key: EllipticCurvePrivateKey) -> dict[str, Any]:
    """Returns the public half of a key, whose id is its thumbprint (RFC 7638): the same wherever it is seen."""
    numbers = key.public_key().public_numbers()
    point = {"crv": "P-256", "kty": "EC", "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}
    identity = hashlib.sha256(json.dumps(point, separators=(",", ":"), sort_keys=True).encode()).digest()
    return {**point, "kid": _base64url(identity), "use": "sig", "alg": "ES256"}


def _signature(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Returns the two numbers of a signature one after the other (RFC 7518, section 3.4)."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    numbers = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return b"".join(number.to_bytes(COORDINATE_BYTES, "big") for number in numbers)


def _is_signature(key: EllipticCurvePrivateKey, data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    if len(signature) != 2 * COORDINATE_BYTES:
        return False
    r, s = signature[:COORDINATE_BYTES], signature[COORDINATE_BYTES:]
    numbers = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    try:
        key.public_key().verify(numbers, data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _coordinate(number: int) -> str:
    return _base64url(number.to_bytes(COORDINATE_BYTES, "big"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
