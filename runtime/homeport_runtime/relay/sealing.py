"""Seals what is left in a table for another instance, so that who may read the table learns neither messages nor names.

Both instances know the session's name, which only its client was told; the table has nothing but what is derived from
it. The standard library has no cipher: the key stream is SHAKE-256 over key and nonce, which is a pseudorandom function
where the key comes first (as in KMAC, NIST SP 800-185), and HMAC-SHA256 over nonce and sealed text is checked before
anything is opened (RFC 7366: encrypt, then authenticate).
"""

from __future__ import annotations

import hashlib
import hmac
import os

NONCE = 16
TAG = 32


class NotOpened(Exception):
    """Says that a text was not sealed for this session, or was changed."""


class Seal:
    """Is the seal of one session; `place` is the name under which the table has it."""

    def __init__(self, session: str) -> None:
        self.place = self._derived(session, b"place").hex()
        self._key = self._derived(session, b"key")
        self._authentication = self._derived(session, b"authentication")

    @staticmethod
    def _derived(session: str, purpose: bytes) -> bytes:
        return hmac.digest(session.encode(), purpose, "sha256")

    def close(self, plain: bytes) -> bytes:
        """Returns the text sealed."""
        sealed = (nonce := os.urandom(NONCE)) + self._mixed(nonce, plain)
        return sealed + self._tag(sealed)

    def open(self, closed: bytes) -> bytes:
        """Returns the text that `close` has sealed.

        Raises NotOpened for anything else.
        """
        sealed, tag = closed[:-TAG], closed[-TAG:]
        if len(closed) < NONCE + TAG or not hmac.compare_digest(tag, self._tag(sealed)):
            raise NotOpened
        return self._mixed(sealed[:NONCE], sealed[NONCE:])

    def _mixed(self, nonce: bytes, text: bytes) -> bytes:
        stream = hashlib.shake_256(self._key + nonce).digest(len(text))
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")

    def _tag(self, sealed: bytes) -> bytes:
        return hmac.digest(self._authentication, sealed, "sha256")
