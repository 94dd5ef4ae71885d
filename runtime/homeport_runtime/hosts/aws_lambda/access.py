"""Who is let in to a function: its names, and the hash of its token, from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...asgi import Scope
from ...guard.auth import BearerToken
from ...guard.names import Names


class LambdaAccess:
    def __init__(self) -> None:
        self.names = Names(name for name in os.environ.get("HOMEPORT_NAMES", "").split(",") if name)
        self.token_hash = os.environ.get("HOMEPORT_TOKEN_HASH") or None

    def learn(self, event: Mapping[str, Any]) -> None:
        """Lambda itself answers to no other name than the one in its events."""
        self.names.add(event["requestContext"]["domainName"])

    def allows(self, event: Mapping[str, Any]) -> bool:
        """As the guard decides, which has the last word on whom it does not let in."""
        self.learn(event)
        headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        origin = headers.get("origin")
        scope: Scope = {"path": event["rawPath"], "headers": [(b"authorization", _latin(headers.get("authorization")))]}
        return (
            self.names.allows_host(headers.get("host"))
            and (origin is None or self.names.allows_origin(origin))
            and (self.token_hash is None or BearerToken(self.token_hash).allows(scope))
        )


def _latin(text: str | None) -> bytes:
    return (text or "").encode("latin-1", "replace")
