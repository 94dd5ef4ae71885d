"""Describes an HTTP+SSE stream that is handed over to another worker, without its client noticing.

Ending the stream instead would race with the client's next message, which would have no stream to be answered on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..asgi import Headers, Scope
from ..relay.base import Posted

# The messages that set a session's state, which are repeated for a server that does not have it.
SAID_FOR_GOOD = frozenset(
    ("initialize", "notifications/initialized", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
)
# The most bytes of such messages that are kept.
MAX_SAID = 8 * 1024
_OF_SCOPE = ("http_version", "scheme", "path", "root_path", "client", "server")


@dataclass(frozen=True)
class Carried:
    """Holds what is handed over of a stream.

    `name` is the session's, as its client knows it; `scope` is that of the request that opened the stream; `said` are
    the client's messages that set the session's state.
    """

    name: str
    scope: Scope
    said: tuple[Posted, ...]

    def to_bytes(self) -> bytes:
        scope = self.scope
        fields = {key: scope.get(key) for key in _OF_SCOPE}
        asked = {"query": scope["query_string"].decode("latin-1"), "headers": _texts(scope["headers"])}
        said = [[each.query.decode("latin-1"), _texts(each.headers), each.body.decode("latin-1")] for each in self.said]
        return json.dumps({"name": self.name, "scope": fields, "said": said, **asked}).encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Carried:
        """Returns the stream that `pack` has encoded.

        Raises ValueError for anything else.
        """
        try:
            return cls._read(json.loads(packed))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError("tells of no stream") from error

    @classmethod
    def _read(cls, told: Any) -> Carried:
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            **told["scope"],
            "raw_path": told["scope"]["path"].encode(),
            "query_string": told["query"].encode("latin-1"),
            "headers": _bytes(told["headers"]),
            "state": {},
        }
        for address in ("client", "server"):
            scope[address] = tuple(scope[address]) if scope[address] else None
        said = (
            Posted(query.encode("latin-1"), _bytes(headers), body.encode("latin-1"))
            for query, headers, body in told["said"]
        )
        return cls(told["name"], scope, tuple(said))


def _texts(headers: Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _bytes(headers: list[Any]) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
