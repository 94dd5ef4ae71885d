"""Says who called what, in records that platform_cli.supervisor.journal puts into the project's audit log.

The guard and the server are one process, so a server could say anything about its own calls; its callers cannot.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..asgi import Scope, header
from ..telemetry import encode, write_record
from .caller import CALLER
from .calls import shown
from .names import Names
from .redaction import Redaction

# The operations that have a line each, with the parameter that names what is used.
OPERATIONS = {"tools/call": "name", "resources/read": "uri", "prompts/get": "name", "completion/complete": "ref"}
# The key of an ASGI scope under which the guard keeps the scopes that a call needs and the caller has.
SCOPES_USED = "homeport.scopes_used"
# What became of a call, by the status of its call record (guard.calls).
RESULTS = {"ok": "success"}
# And by the HTTP status of a request that was not passed on.
REFUSALS = {401: "unauthorized", 403: "denied", 429: "limited"}


class Audit:
    """Writes a record for each operation of a client, and for each request that is refused.

    `arguments` and `redact` are as the project's [audit] has them. An address that a proxy names is believed for the
    public `names` alone, which lead through the platform's own.
    """

    def __init__(self, names: Names, arguments: str, redact: Sequence[str]) -> None:
        self._names = names
        self._redaction = Redaction(arguments, redact)

    def operation(self, scope: Scope, message: Mapping[str, Any], request: str) -> Operation | None:
        """Returns the record of what `message` asks for, None if it has none."""
        method = message.get("method")
        named = OPERATIONS.get(method) if isinstance(method, str) else None
        if named is None:
            return None
        params = message.get("params")
        params = params if isinstance(params, Mapping) else {}
        name = params.get(named)
        name = name.get("name", name.get("uri")) if isinstance(name, Mapping) else name
        return Operation(self._text(scope, str(method), name, self._redaction.of(params.get("arguments")), request))

    def refusal(self, scope: Scope, status: int, reason: str) -> None:
        """Writes the record of a request that was refused before its message was known."""
        text = self._text(scope, f"{scope.get('method', 'GET')} {scope['path']}", None, None, None)
        Operation(text).finish(REFUSALS.get(status, "refused"), reason)

    def _text(self, scope: Scope, method: str, name: object, arguments: object, request: str | None) -> str:
        caller = scope.get(CALLER)
        fields = {
            "client_id": caller.client if caller else None,
            "user_id": caller.user if caller else None,
            "tool_name": None if name is None else shown(name),
            "arguments": arguments,
            "scopes_used": list(scope.get(SCOPES_USED, ())),
            "ip_address": self._address(scope),
            "method": shown(method),
            "request": request,
        }
        return encode(fields)[1:-1]

    def _address(self, scope: Scope) -> str | None:
        forwarded = header(scope, b"x-forwarded-for")
        if forwarded and self._names.is_public(header(scope, b"host")):
            return shown(forwarded.rpartition(",")[2].strip())
        client = scope.get("client")
        return client[0] if client else None


class Operation:
    """Is one line to be: `text` has its fields, as JSON, but for what becomes of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._started = time.perf_counter()
        self._is_finished = False

    def record(self, result: str, ms: float, reason: str | None = None) -> str:
        """Returns the record, which says first what it is."""
        more = f',"reason":{encode(reason)}' if reason else ""
        return f'{{"audit":{{{self._text},"result":"{result}","ms":{ms:.2f}{more}}},"time":{time.time():.3f}}}'

    def finish(self, status: str, reason: str | None = None) -> None:
        """Writes the record, unless it has been written; `status` is that of a call record, or a result."""
        if not self._is_finished:
            self._is_finished = True
            ms = (time.perf_counter() - self._started) * 1000
            write_record(self.record(RESULTS.get(status, status), ms, reason))
