"""Signs the body of a webhook with its time, so that a receiver knows who sent it, and that it is not an old one."""

from __future__ import annotations

import hashlib
import hmac

TIME, SIGNATURE = "Homeport-Time", "Homeport-Signature"


def signed(key: str, body: bytes, time: int) -> dict[str, str]:
    """Returns the headers of a body that is sent at `time`, in seconds since 1970.

    The signature is the HMAC-SHA-256 (RFC 2104) of the time in digits, a full stop and the body.
    """
    mac = hmac.new(key.encode(), f"{time}.".encode() + body, hashlib.sha256)
    return {TIME: str(time), SIGNATURE: f"sha256={mac.hexdigest()}"}
