"""tools/call as bytes on a socket: what a benchmark sends, and how it knows that the answer is there."""

from __future__ import annotations

import json
import re
import socket
import time

LEGACY, MODERN = "2025-06-18", "2026-07-28"
ERAS = (LEGACY, MODERN)
ARGUMENTS = {"add": {"a": 1, "b": 2}, "whoami": {}}


def request(port: int, era: str, tool: str = "add") -> bytes:
    """One stateless HTTP/1.1 request that needs no initialize before it; the right answer to `add` has the text 3."""
    params: dict[str, object] = {"name": tool, "arguments": ARGUMENTS[tool]}
    headers = {
        "host": f"127.0.0.1:{port}",
        "user-agent": "homeport-benchmarks",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": era,
    }
    if era == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "homeport-benchmarks", "version": "1"},
        }
        headers |= {"mcp-method": "tools/call", "mcp-name": tool}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


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


def call_once(port: int, era: str = LEGACY, tool: str = "add", timeout_s: float = 60) -> bytes:
    """A new connection and one call. Raises OSError when nobody listens or answers."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        connection.sendall(request(port, era, tool))
        answer = b""
        while not complete(answer):
            part = connection.recv(65536)
            if not part:
                raise ConnectionResetError("the connection ended before the answer")
            answer += part
    return answer


def wait_for_answer(port: int, timeout_s: float = 60) -> None:
    """Polls until a call is answered rightly. Raises TimeoutError with the last answer."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = call_once(port)
            if right(last):
                return
        except OSError as error:
            last = error
        time.sleep(0.002)
    raise TimeoutError(f"no answer on port {port} within {timeout_s:g} s: {last!r}")


def process_id(port: int) -> int:
    """Which process answers there: what the tool `whoami` of the servers under tests/servers begins with."""
    found = re.search(rb'"text": ?"([0-9]+) ', call_once(port, tool="whoami"))
    if found is None:
        raise SystemExit(f"whoami did not tell the process on port {port}")
    return int(found[1])
