"""Writes a record of each operation that is no tool call, and of each refusal: for metrics, and not for the log.

platform_cli.telemetry reads them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..asgi import Scope
from ..protocol.jsonrpc import is_request_id
from ..protocol.messages import MESSAGE
from ..telemetry import encode, write_record
from .calls import Finishing, said_by
from .kinds import refused_kind
from .open_calls import OpenCalls
from .refusals import Refusal
from .shown import MAX_NAME, shown
from .strangers import PerMinute
from .watched import Watched

if TYPE_CHECKING:
    from .audit import Audited

# The methods of MCP's requests, up to 2026-07-28; others are recorded as OTHER, since a name that nobody has agreed on
# must not make a series. A subscription (subscriptions/listen) is no operation: it is open as long as its client is.
METHODS = frozenset(
    (
        "initialize",
        "server/discover",
        "ping",
        "tools/list",
        "tools/call",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "tasks/get",
        "tasks/result",
        "tasks/list",
        "tasks/cancel",
    )
)
OTHER = "_OTHER"
LISTEN = "subscriptions/listen"
# Those whose name is recorded, too: it says which part of the server was used, as that of a tool does.
NAMED = ("tools/call", "prompts/get")
# How many refusals get a record in a minute: strangers must not push calls out of the metrics.
REFUSALS = 100


class Operations:
    """Makes the records of a worker's operations."""

    def __init__(self) -> None:
        self._refusals = PerMinute(REFUSALS)

    def operation(
        self,
        scope: Scope,
        message: Mapping[str, Any],
        request: str,
        bytes_in: int,
        open_calls: OpenCalls | None,
        audited: Audited | None,
    ) -> Watched | None:
        """Returns the record of what `message` asks for, None if it is no request of MCP."""
        method = message.get("method")
        if message.get("jsonrpc") != "2.0" or not isinstance(method, str) or not is_request_id(message.get("id")):
            return None
        if method == LISTEN:
            return None
        return OperationRecord(scope, message, request, bytes_in, open_calls, audited)

    def refusal(self, scope: Scope, refusal: Refusal) -> None:
        """Writes the record of a request that was refused."""
        if self._refusals.is_one_too_many():
            return
        message: Mapping[str, Any] = scope.get(MESSAGE, {})
        text, _ = _described(scope, message)
        said = f'"status":"error","kind":"{refused_kind(refusal.reason)}","code":{refusal.code},"ms":0'
        write_record(f'{{"operation":{{{text},{said}}},"time":{time.time():.3f}}}')


class OperationRecord(Finishing):
    """Writes the record of one operation when its answer is complete."""

    def __init__(
        self,
        scope: Scope,
        message: Mapping[str, Any],
        request: str,
        bytes_in: int,
        open_calls: OpenCalls | None,
        audited: Audited | None,
    ) -> None:
        super().__init__(scope, message, request, None, open_calls, audited)
        described, about = _described(scope, message)
        self._text = f'{described},"request":"{request}","bytes_in":{bytes_in}{about}'
        self._begin()

    def _record(self, level: str, status: str, more: str) -> str:
        return f'{{"operation":{{{self._text},"status":"{status}"{more}}},"time":{time.time():.3f}}}'


def _described(scope: Scope, message: Mapping[str, Any]) -> tuple[str, str]:
    """Returns members of a record that say what was asked by whom, and what the caller says beside."""
    method, params = message.get("method"), message.get("params")
    params = params if isinstance(params, Mapping) else {}
    client, about = said_by(scope, params)
    known = method if isinstance(method, str) and method in METHODS else OTHER
    name = encode(shown(params.get("name"), MAX_NAME)) if known in NAMED else "null"
    return f'"method":"{known}","name":{name},"client":{client}', about
