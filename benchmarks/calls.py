"""tools/call as bytes on a socket: what a benchmark sends, and how it knows that the answer is there."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass

LEGACY, MODERN = "2025-06-18", "2026-07-28"
ARGUMENTS = {"add": {"a": 1, "b": 2}, "whoami": {}}


@dataclass(frozen=True)
class Way:
    """How a client calls: in which protocol revision, whether in a session that it has opened with initialize, and with
    which bearer token, "" for none; a gateway has a path and a prefix of tools' names of its own.
    """

    era: str
    sessions: bool = False
    token: str = ""
    path: str = "/mcp"
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.era} sessions" if self.sessions else self.era


STATELESS, SESSIONS, STATELESS_MODERN = WAYS = (Way(LEGACY), Way(LEGACY, sessions=True), Way(MODERN))


def request(port: int, way: Way, tool: str = "add") -> bytes:
    """One tools/call as an HTTP/1.1 request; the right answer to `add` has the text 3. Where there are sessions, one is
    opened for it.
    """
    params: dict[str, object] = {"name": way.prefix + tool, "arguments": ARGUMENTS[tool]}
    headers = {"mcp-protocol-version": way.era}
    if way.token:
        headers["authorization"] = f"Bearer {way.token}"
    if way.sessions:
        headers["mcp-session-id"] = open_session(port)
    if way.era == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": way.era,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "homeport-benchmarks", "version": "1"},
        }
        headers |= {"mcp-method": "tools/call", "mcp-name": way.prefix + tool}
    return _post(port, headers, {"id": 1, "method": "tools/call", "params": params}, way.path)


def _post(port: int, headers: dict[str, str], message: dict[str, object], path: str = "/mcp") -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    fields = {
        "host": f"127.0.0.1:{port}",
        "user-agent": "homeport-benchmarks",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        **headers,
        "content-length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def open_session(port: int) -> str:
    """The id of a session that is opened as a client does it."""
    info = {"name": "homeport-benchmarks", "version": "1"}
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": info}
    answer = exchange(port, _post(port, {}, {"id": 0, "method": "initialize", "params": params}))
    session = _field(answer, "mcp-session-id")
    if not session:
        raise SystemExit(f"no session was opened: {answer!r}")
    known = {"mcp-protocol-version": LEGACY, "mcp-session-id": session}
    exchange(port, _post(port, known, {"method": "notifications/initialized"}))
    return session


def _field(answer: bytes, name: str) -> str:
    """A header of an HTTP answer; empty if it is not there."""
    for line in answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return ""


def complete(answer: bytes) -> bool:
    """Whether the HTTP answer has ended: by its Content-Length, or by the last chunk."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    head = head.lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    length = head.partition(b"\r\ncontent-length: ")[2].split(b"\r\n")[0]
    return len(body) >= int(length or 0)


def right(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200") and (b'"text":"3"' in answer or b'"text": "3"' in answer)


def call_once(port: int, way: Way = STATELESS, tool: str = "add") -> bytes:
    """A new connection and one call. Raises OSError when nobody listens or answers."""
    return exchange(port, request(port, way, tool))


def exchange(port: int, message: bytes, timeout_s: float = 60) -> bytes:
    """The answer to one request on a new connection."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(message)
        answer = b""
        while not complete(answer):
            part = connection.recv(65536)
            if not part:
                raise ConnectionResetError("the connection ended before the answer")
            answer += part
    return answer


def wait_for_answer(port: int, way: Way = STATELESS, timeout_s: float = 60) -> None:
    """Polls until a call is answered rightly. Raises TimeoutError with the last answer."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = call_once(port, way)
            if right(last):
                return
        except OSError as error:
            last = error
        time.sleep(0.002)
    raise TimeoutError(f"no answer on port {port} within {timeout_s:g} s: {last!r}")
