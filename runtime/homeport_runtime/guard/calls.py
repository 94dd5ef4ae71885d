"""Writes one call record per tools/call: which tool, by whom, how it ended, and after how many milliseconds."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..asgi import Scope
from ..telemetry import encode, write_record
from .caller import RESULT
from .kinds import code_of, kind_of
from .open_calls import OpenCalls
from .shown import MAX_NAME, MAX_SHOWN, shown
from .watched import Watched

if TYPE_CHECKING:
    from .audit import Audited

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
# A revision of MCP is a date.
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# W3C Trace Context, "traceparent Header", as MCP passes it on in _meta (SEP-414).
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class Finishing(Watched):
    """Writes a record once, when its answer is complete; `open_calls` holds it until then.

    `audited` is what the audit log has of the same operation, None without one. `tool` is the name that was called,
    None for other operations, and `tools` are those that exist, None if nobody knows.
    """

    def __init__(
        self,
        scope: Scope,
        message: Mapping[str, Any],
        request: str,
        tool: object,
        open_calls: OpenCalls | None,
        audited: Audited | None,
        tools: Collection[str] | None = None,
    ) -> None:
        super().__init__()
        self.message_id = message.get("id")
        self._scope = scope
        self._request = request
        self._tool_name = tool
        self._tools = tools
        self._open_calls = open_calls
        self._audited = audited
        self._slot: int | None = None
        self._started = time.perf_counter()

    def _begin(self) -> None:
        """Keeps the record that is written if this process dies; its `time` is when the request came."""
        if self._open_calls is None:
            return
        record, audited = self._record("error", "error", ',"ms":0'), self._audited
        if audited is None:
            self._slot = self._open_calls.begin(record.encode())
            return
        self._slot = self._open_calls.begin(audited.beside(record).encode("utf-8", "replace"))
        if self._slot is None:
            # Arguments may be too long for it.
            self._slot = self._open_calls.begin(audited.shortened().beside(record).encode("utf-8", "replace"))

    def _write(self, status: str, answer: Mapping[str, Any] | None) -> None:
        if self._open_calls is not None and self._slot is not None:
            self._open_calls.end(self._slot)
        ms = (time.perf_counter() - self._started) * 1000
        more = f',"ms":{ms:.2f},"bytes_out":{self.bytes_out}'
        level = "info" if status == "ok" else "warning"
        record = self._record(level, status, more if status == "ok" else more + self._failure(status, answer))
        if self._audited is not None:
            self._audited.bind(self._scope, self._request, status, ms)
            record = self._audited.beside(record)
        write_record(record)

    def _failure(self, status: str, answer: Mapping[str, Any] | None) -> str:
        kind = kind_of(self._request, self._tool_name, answer, self._tools, self._scope.get(RESULT))
        code = code_of(answer)
        kind = "abandoned" if status == "abandoned" else kind
        return f',"kind":"{kind}"' + (f',"code":{code}' if code is not None else "")

    def _record(self, level: str, status: str, more: str) -> str:
        """Returns the record as JSON, with further members `more` of the operation."""
        raise NotImplementedError


class CallRecord(Finishing):
    """Writes the record of one tools/call, which came in a request of `bytes_in` bytes."""

    def __init__(
        self,
        scope: Scope,
        message: Mapping[str, Any],
        request: str,
        cold: bool,
        bytes_in: int = 0,
        open_calls: OpenCalls | None = None,
        audited: Audited | None = None,
        tools: Collection[str] | None = None,
    ) -> None:
        params = message.get("params")
        params = params if isinstance(params, Mapping) else {}
        name = params.get("name")
        super().__init__(scope, message, request, name, open_calls, audited, tools)
        # Both are encoded as JSON.
        tool = encode(shown(name, MAX_NAME))
        client, about = said_by(scope, params)
        start = "cold" if cold else "warm"
        # The record is formatted by hand, and its lasting parts once, because it is written twice for each call.
        self._head = f'"message":"tools/call {tool[1:-1]}: '
        self._text = (
            f'","request":"{request}","call":{{"tool":{tool},"client":{client},"start":"{start}",'
            f'"bytes_in":{bytes_in}{about},"status":"'
        )
        self._begin()

    def _record(self, level: str, status: str, more: str) -> str:
        return f'{{"time":{time.time():.3f},"level":"{level}",{self._head}{status}{self._text}{status}"{more}}}}}'


def said_by(scope: Scope, params: Mapping[str, Any]) -> tuple[str, str]:
    """Returns who calls, as JSON, and members of a record for what the caller says beside: the revision of MCP, and the
    ids of its trace and of the span in which it calls.

    Who calls is in the request's _meta (2026-07-28), else it is the User-Agent.
    """
    meta = params.get("_meta")
    info = version = None
    about = ""
    if isinstance(meta, Mapping):
        info, version = meta.get(CLIENT_INFO), meta.get(PROTOCOL_VERSION)
        trace = meta.get("traceparent")
        if isinstance(trace, str) and (found := _TRACEPARENT.fullmatch(trace)):
            about = f',"trace":"{found[1]}","parent":"{found[2]}"'
    client = None
    is_named = isinstance(info, Mapping) and "name" in info
    # Whoever says both in the message says nothing else in the headers.
    for key, value in () if is_named and version else scope["headers"]:
        if key == b"user-agent":
            client = client or bytes(value).decode("latin-1")
        elif key == b"mcp-protocol-version":
            version = version or bytes(value).decode("latin-1")
    if isinstance(version, str) and _VERSION.fullmatch(version):
        about += f',"protocol":"{version}"'
    if isinstance(info, Mapping) and "name" in info:
        said = info.get("version", "")
        name = f"{shown(info['name'])}/{shown(said) if said else ''}".rstrip("/")[:MAX_SHOWN]
        return encode(name), about
    return encode(shown(client or "unknown")), about
