"""Says who called what, in records that platform_cli.supervisor.journal puts into the project's audit log.

An operation has one record, in the same line, with what is measured of it (guard.calls): most is known from there.

The guard and the server are one process, so a server could say anything about its own calls; its callers cannot.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..asgi import Scope
from ..protocol.jsonrpc import SERVER_ERROR
from ..protocol.messages import MESSAGE
from ..telemetry import RECORD, encode, write_record
from .address import ADDRESS
from .caller import CALLER, RESULT, SCOPES_USED, Caller
from .open_calls import OpenCalls
from .redaction import Redaction
from .refusals import RETRY_MS, Refusal
from .shown import MAX_SHOWN, shown
from .strangers import PerMinute
from .watched import Watched

if TYPE_CHECKING:
    from .audit_chain import AuditChain

# The operations that have a line each, with the parameter that names what is used.
OPERATIONS = {"tools/call": "name", "resources/read": "uri", "prompts/get": "name"}
# What became of an operation, by the status of its call record (guard.calls).
RESULTS = {"ok": "success"}
# And of what was refused, by the reason.
REFUSALS = {
    "invalid_token": "unauthorized",
    "insufficient_scope": "denied",
    "forbidden": "denied",
    "unknown_origin": "denied",
    "rate_limited": "limited",
}
# How many refusals of requests that nobody is known to have sent get a line in a minute: strangers must not fill the
# disk.
STRANGERS = 100
# How many beginnings of records, which say who called what from where, are remembered as they are written.
MAX_KNOWN = 1000
NO_ROOM = Refusal(
    503,
    "audit_unavailable",
    "no call is answered without a line in the audit log, and that cannot be written now",
    SERVER_ERROR,
    "Server unavailable",
    retryable=True,
    retry_after_ms=RETRY_MS,
)


class Audit:
    """Writes a record for each operation of a client, and for each request that is refused.

    `arguments` and `redact` are as the project's [audit] has them. Without `has_room` no operation is to be passed on.
    With a `chain` this process binds the lines itself, and no platform does.
    """

    def __init__(self, arguments: str, redact: Sequence[str], chain: AuditChain | None = None) -> None:
        self._chain = chain
        self.has_room = True
        self.no_room = NO_ROOM
        self._redaction = Redaction(arguments, redact)
        self._strangers = PerMinute(STRANGERS)
        self._known: dict[tuple[object, ...], str] = {}

    def must_wait(self, said: object) -> bool:
        """Tells whether a message asks for an operation that must not be passed on now."""
        return not self.has_room and isinstance(said, Mapping) and said.get("method") in OPERATIONS

    def operation(self, scope: Scope, message: Mapping[str, Any]) -> Audited | None:
        """Returns what the log has of what `message` asks for, None if it has nothing."""
        method = message.get("method")
        named = OPERATIONS.get(method) if isinstance(method, str) else None
        if named is None:
            return None
        params = message.get("params")
        if not isinstance(params, dict):
            params = {}
        who = self._beginning(scope, str(method), params.get(named))
        return Audited(who, self._redaction.text(params.get("arguments")), self._chain)

    def refusal(self, scope: Scope, refusal: Refusal) -> None:
        """Writes the record of a request that was refused."""
        if scope.get(CALLER) is None and self._strangers.is_one_too_many():
            return
        message: Mapping[str, Any] = scope.get(MESSAGE, {})
        method, params = message.get("method"), message.get("params")
        if not isinstance(method, str):
            method = f"{scope.get('method', 'GET')} {scope['path']}"
        if not isinstance(params, Mapping) or method not in OPERATIONS:
            params = {}
        beginning = self._beginning(scope, method, params.get(OPERATIONS.get(method, "")))
        text = f'{beginning},"arguments":{self._redaction.text(params.get("arguments"))},"request":null'
        _write(record(text, REFUSALS.get(refusal.reason, "refused"), 0, refusal.reason), self._chain)

    def _beginning(self, scope: Scope, method: str, name: object) -> str:
        """Returns the fields that say who calls what, by which scopes and from where; few callers make most calls."""
        caller: Caller | None = scope.get(CALLER)
        scopes: tuple[str, ...] = scope.get(SCOPES_USED, ())
        address: str | None = scope.get(ADDRESS)
        # What is called by anything but a text is none of few.
        key = (caller, scopes, method, name if isinstance(name, str) else None, address)
        known = self._known.get(key)
        if known is None:
            client, user = (caller.client, caller.user) if caller is not None else (None, None)
            tool = None if name is None else shown(name)
            fields = {"client_id": client, "user_id": user, "scopes_used": scopes, "tool_name": tool}
            known = encode({**fields, "ip_address": address, "method": shown(method)})[1:-1]
            # A caller's own texts must not make this grow.
            is_short = isinstance(name, str) and len(method) + len(name) <= MAX_SHOWN
            if caller is not None and is_short and len(self._known) < MAX_KNOWN:
                self._known[key] = known
        return known


class Audited:
    """Is what the audit log has of an operation: `who` asked for what, in members of a JSON object, and what is kept of
    the `arguments`, as JSON. With a `chain` this process binds its own lines.
    """

    __slots__ = ("_arguments", "_beside", "_who", "chain")

    def __init__(self, who: str, arguments: str, chain: AuditChain | None) -> None:
        self._who = who
        self._arguments = arguments
        self.chain = chain
        # No JSON text has the character between them as it is.
        self._beside = f"{RECORD}{{{who}}}{RECORD}{arguments}" if chain is None else ""

    def beside(self, record: str) -> str:
        """Returns the record of the operation with this in its line, but where this process binds its own lines."""
        return record + self._beside

    def shortened(self) -> Audited:
        """Returns this without the arguments: the rest says who has called what."""
        return Audited(self._who, "null", self.chain)

    def bind(self, scope: Scope, request: str, status: str, ms: float) -> None:
        """Writes the line of the operation, which ended with that status, where this process binds its own lines."""
        if self.chain is not None:
            self.chain.write(self.record(request, scope.get(RESULT) or RESULTS.get(status, status), ms))

    def alone(self, scope: Scope, message_id: object, request: str, open_calls: OpenCalls | None) -> Unmeasured:
        """Returns the record of an operation of which nothing is measured."""
        return Unmeasured(self, scope, message_id, request, open_calls)

    def record(self, request: str, result: str, ms: float) -> str:
        """Returns a record for the audit log alone."""
        return record(f'{self._who},"arguments":{self._arguments},"request":"{request}"', result, ms)


class Unmeasured(Watched):
    """Writes the record of an operation that has no other, when its answer is complete."""

    def __init__(
        self, audited: Audited, scope: Scope, message_id: object, request: str, open_calls: OpenCalls | None
    ) -> None:
        super().__init__()
        self.message_id = message_id
        self._audited = audited
        self._scope = scope
        self._request = request
        self._started = time.perf_counter()
        self._open_calls = open_calls
        # The record that is written if this process dies; its `time` is when the request came.
        self._slot: int | None = None
        if open_calls is not None:
            self._slot = open_calls.begin(_encoded(audited.record(request, "crash", 0)))
            if self._slot is None:
                self._slot = open_calls.begin(_encoded(audited.shortened().record(request, "crash", 0)))

    def _write(self, status: str, _answer: Mapping[str, Any] | None) -> None:
        if self._open_calls is not None and self._slot is not None:
            self._open_calls.end(self._slot)
        ms = (time.perf_counter() - self._started) * 1000
        result = self._scope.get(RESULT) or RESULTS.get(status, status)
        _write(self._audited.record(self._request, result, ms), self._audited.chain)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _write(written: str, chain: AuditChain | None) -> None:
    if chain is None:
        write_record(written)
    else:
        chain.write(written)


def record(fields: str, result: str, ms: float, reason: str | None = None) -> str:
    """Returns a record, which begins with what it is, from its `fields` as JSON and what became of the operation."""
    more = f',"reason":{encode(reason)}' if reason else ""
    return f'{{"audit":{{{fields},"result":"{result}","ms":{ms:.2f}{more}}},"time":{time.time():.3f}}}'
