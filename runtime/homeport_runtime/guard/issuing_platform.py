"""Tells the platform elsewhere that has signed callers in of a call that lacked a scope, as a worker at home tells its
own (platform_cli.signin.grants): then it does not renew the same scopes, but has the client ask its user.

The access token is the proof: whoever has it may say what it was not enough for, and of no other.
"""

from __future__ import annotations

import asyncio
import time

from ..telemetry import emit

PATH = "/refused"
# The seconds for which an answer waits, and those for which a platform that cannot be reached is not asked again.
WAIT_S = 1.0
AGAIN_S = 60.0


class IssuingPlatform:
    """Is the platform whose authorization server is `issuer`."""

    def __init__(self, issuer: str) -> None:
        self._url = f"{issuer}{PATH}"
        self._again_at = 0.0

    async def hear_of_refusal(self, token: str) -> None:
        """Has the platform note that a call with this token lacked a scope, and returns when it knows, or cannot be
        had: the client is refused all the same.
        """
        if time.monotonic() < self._again_at:
            return
        # Imported late, since TLS takes longer than a start.
        from .issuer_keys import UNAVAILABLE, ask

        try:
            headers = {"Authorization": f"Bearer {token}"}
            await asyncio.wait_for(asyncio.to_thread(ask, self._url, "POST", headers), WAIT_S)
        except ValueError:
            # It was there, and knows better: the token has just expired, or it is an older platform.
            return
        except (*UNAVAILABLE, asyncio.TimeoutError) as error:  # noqa: UP041 - they differ in Python 3.10
            self._again_at = time.monotonic() + AGAIN_S
            emit("warning", f"{self._url} does not hear that a call lacked a scope: {error!r}")
