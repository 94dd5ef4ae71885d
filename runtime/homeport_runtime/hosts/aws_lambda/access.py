"""Reads from a function's environment who may call it: its host names, and the hash of its token."""

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
        """Adds the host name of an event, which is the only one that Lambda itself answers to."""
        self.names.add(event["requestContext"]["domainName"])

    def allows(self, event: Mapping[str, Any]) -> bool:
        """Tells whether the guard would allow a request; the guard itself answers those that it refuses."""
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
