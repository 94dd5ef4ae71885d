"""Serves a function's URL: HTTP requests become events for its sandboxes, streamed answers become HTTP again."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from .sandbox import DEADLINE_S, PRELUDE_END, Answer, Function, Sandbox, Server

# The name that Lambda gives a function's URL, and tells the function whatever Host a request has.
DOMAIN = "abcdefgh.lambda-url.us-east-1.on.aws"
MAX_REQUEST = 6 * 1024 * 1024


class FunctionURL:
    """Is a function's URL: `url` answers on loopback, in the place of DOMAIN. A request goes to the sandbox that is
    idle for the longest, once there are `spread` of them; else, or with `fresh`, to a new one.
    """

    def __init__(self, function: Function, folder: Path) -> None:
        self.function = function
        self.fresh = False
        self.spread = 1
        # Only a test that holds up the import at will turns it off.
        self.freezes = True
        self.sandboxes: list[Sandbox] = []
        self.answers: list[Answer] = []
        self.log = folder / "function.log"
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), type("ThisFront", (Front,), {"front": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def invoke(self, event: dict[str, Any]) -> Answer:
        with self._lock:
            self.answers.append(self.sandbox().invoke(event))
            return self.answers[-1]

    def sandbox(self) -> Sandbox:
        idle = [one for one in self.sandboxes if not one.busy and one.process.poll() is None]
        if self.fresh or not idle or len(self.sandboxes) < self.spread:
            self.sandboxes.append(Sandbox(self.function, self.log, freezes=self.freezes))
            return self.sandboxes[-1]
        return min(idle, key=lambda sandbox: sandbox.rested_at)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        with ThreadPoolExecutor() as several:
            list(several.map(Sandbox.stop, self.sandboxes))


def renamed(header: str) -> str:
    """Returns the name under which function URLs hand a header on; clients look for this one (RFC 9728)."""
    return "x-amzn-remapped-www-authenticate" if header.lower() == "www-authenticate" else header


class Invoked(Protocol):
    def invoke(self, event: dict[str, Any]) -> Answer: ...


class Front(BaseHTTPRequestHandler):
    front: Invoked
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(body) > MAX_REQUEST:
            self._plain(413, b"")
            return
        answer = self.front.invoke(make_event(self.command, self.path, self._sent(), body))
        sandbox = answer.sandbox
        assert sandbox is not None
        first = b""
        while PRELUDE_END not in first:
            sandbox.ready.wait(DEADLINE_S)
            chunk = None if sandbox.init_error else answer.chunks.get(timeout=DEADLINE_S)
            if chunk is None:
                self._buffered(first, answer)
                return
            first += chunk
        start, _, rest = first.partition(PRELUDE_END)
        self._stream(json.loads(start), rest, answer)

    do_GET = do_POST = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _sent(self) -> dict[str, str]:
        """Returns the headers as Lambda hands them on: one that came several times is one with commas. To ask here,
        where the URL answers, is to ask DOMAIN.
        """
        headers = {name.lower(): ",".join(self.headers.get_all(name, ())) for name in self.headers}
        here = ":".join(map(str, self.connection.getsockname()))
        return {**headers, "host": DOMAIN} if headers.get("host") == here else headers

    def _buffered(self, whole: bytes, answer: Answer) -> None:
        """Returns what plain awslambdaric answers, or nothing."""
        if answer.error or not whole:
            self._plain(502, b"Internal Server Error")
            return
        said = json.loads(whole)
        content = said.get("body", "")
        data = base64.b64decode(content) if said.get("isBase64Encoded") else content.encode()
        self._plain(said["statusCode"], data, said.get("headers", {}))

    def _plain(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(renamed(name), value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, start: dict[str, Any], rest: bytes, answer: Answer) -> None:
        self.send_response(start["statusCode"])
        for name, value in start["headers"].items():
            self.send_header(renamed(name), value)
        for cookie in start["cookies"]:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        chunk: bytes | None = rest
        try:
            while chunk is not None:
                if chunk:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                    self.wfile.flush()
                chunk = answer.chunks.get(timeout=DEADLINE_S * 10)
            if answer.error is None:
                self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            # As on Lambda: the function is not told, and goes on.
            return
        self.close_connection = answer.error is not None


def make_event(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Returns an event in payload format 2.0, for DOMAIN if the headers name no other Host."""
    parts = urlsplit(target)
    lower = {"host": DOMAIN, "x-forwarded-proto": "http"} | {name.lower(): value for name, value in headers.items()}
    cookies = lower.pop("cookie", "")
    try:
        content, encoded = body.decode(), False
    except UnicodeDecodeError:
        content, encoded = base64.b64encode(body).decode(), True
    return {
        "version": "2.0",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        **({"cookies": cookies.split("; ")} if cookies else {}),
        "headers": lower,
        "requestContext": {
            "domainName": DOMAIN,
            "http": {"method": method, "path": parts.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
        },
        **({"body": content} if body else {}),
        "isBase64Encoded": encoded,
    }
