"""Sends lines to a receiver: posts them to a webhook or a collector, or to one of syslog."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from ..audit.chain import seconds_of
from ..otlp.encoding import Log, logs_message
from ..outbound.requests import Outbound
from ..outbound.signature import signed
from .reading import Line
from .store import Access

if TYPE_CHECKING:
    from ..api.audit_entry import AuditEntry

# The seconds that a receiver has to take what is sent at once.
TAKE_S = 30.0
MAX_ANSWER = 64 * 1024
# What was kept from happening is worth somebody's look.
KEPT_BACK = frozenset({"denied", "limited", "refused", "unauthorized"})


class NotTakenError(OSError):
    """Says why lines were not taken, and after how many seconds the receiver wants them again, if it says so."""

    def __init__(self, reason: str, retry_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_s = retry_s


class Receiver(Protocol):
    """Takes lines."""

    async def send(self, project: str, lines: Sequence[Line]) -> None:
        """Returns when the lines are taken.

        Raises OSError if they are not; then they are sent again.
        """
        ...

    def close(self) -> None:
        """Lets the connection go, if there is one."""
        ...


def trust(access: Access) -> ssl.SSLContext:
    """Returns whose certificates are trusted: one that was given alone, else the machine's."""
    return ssl.create_default_context(cadata=access.ca)


class Webhook:
    """Posts lines as they are, one JSON object a line; the signature is of the whole body."""

    def __init__(self, access: Access, outbound: Outbound, *, private: bool) -> None:
        self._access = access
        self._outbound = outbound
        self._private = private

    async def send(self, project: str, lines: Sequence[Line]) -> None:
        body = b"".join(line.text + b"\n" for line in lines)
        headers = {
            "content-type": "application/x-ndjson",
            # By it a receiver recognises what it has taken already.
            "homeport-delivery": f"{project}/{lines[0].seq}-{lines[-1].seq}",
            **signed(self._access.key or "", body, int(time.time())),
        }
        await _post(self._outbound, self._access, headers, body, private=self._private)

    def close(self) -> None:
        """Does nothing, since each message has a connection of its own."""


class Collector:
    """Posts lines as log records of OTLP, whose body is the line as it is."""

    def __init__(self, access: Access, outbound: Outbound, *, private: bool) -> None:
        self._access = access
        self._outbound = outbound
        self._private = private

    async def send(self, project: str, lines: Sequence[Line]) -> None:
        body = await asyncio.to_thread(_message, project, lines)
        headers = {**self._access.headers, "content-type": "application/json"}
        answer = await _post(self._outbound, self._access, headers, body, private=self._private)
        if rejected := _rejected(answer):
            raise NotTakenError(f"the collector rejected {rejected} of {len(lines)} lines")

    def close(self) -> None:
        """Does nothing, since each message has a connection of its own."""


async def _post(outbound: Outbound, access: Access, headers: Mapping[str, str], body: bytes, *, private: bool) -> bytes:
    """Returns the beginning of the answer to a POST that was taken."""
    url = access.destination.url
    async with asyncio.timeout(TAKE_S), outbound.answered("POST", url, headers, body, private=private) as response:
        if response.status_code // 100 != 2:
            after = response.headers.get("retry-after", "")
            raise NotTakenError(f"HTTP {response.status_code}", float(after) if after.isdecimal() else 0.0)
        answer = b""
        async for piece in response.aiter_raw():
            answer += piece
            if len(answer) > MAX_ANSWER:
                break
        return answer


def _message(project: str, lines: Sequence[Line]) -> bytes:
    return logs_message({"service.name": project, "service.namespace": "homeport"}, map(_log, lines))


def _log(line: Line) -> Log:
    try:
        entry: AuditEntry = json.loads(line.text)
        return Log(
            seconds_of(entry["timestamp"]),
            "warning" if entry["result"] in KEPT_BACK else "info",
            line.text.decode("utf-8", "replace"),
            {
                "event.name": "homeport.audit",
                "service.version": entry["release"],
                "mcp.method.name": entry["method"],
                "gen_ai.tool.name": entry["tool_name"],
                "user.id": entry["user_id"],
                "client.address": entry["ip_address"],
                "homeport.client": entry["client_id"],
                "homeport.result": entry["result"],
                "homeport.seq": entry["seq"],
            },
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        # Somebody has changed it, which `audit verify` tells.
        return Log(time.time(), "error", line.text.decode("utf-8", "replace"), {"event.name": "homeport.audit"})


def _rejected(answer: bytes) -> int:
    """Returns how many log records a collector has not taken (`partialSuccess`)."""
    try:
        return int((json.loads(answer).get("partialSuccess") or {}).get("rejectedLogRecords", 0))
    except (ValueError, TypeError, AttributeError):
        # A collector may answer in protobuf whatever it was sent.
        return 0
