"""Asks an app, inside its process, what any MCP client asks first.

That warms a worker up, so that nobody's first request pays for what is imported on first use, and it reads the contract
at deploy time: a server offers what it answers over the protocol, whatever kind of server it is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from ..asgi import ASGIApp, Headers, Message, Scope
from ..errors import ServerError
from .jsonrpc import HANDSHAKE_VERSIONS, messages_in

CLIENT_INFO = {"name": "homeport", "version": "1"}
# A method, the capability that announces it, and the key of its result.
LISTS = (
    ("tools/list", "tools", "tools"),
    ("prompts/list", "prompts", "prompts"),
    ("resources/list", "resources", "resources"),
    ("resources/templates/list", "resources", "resourceTemplates"),
)
MAX_PAGES = 100
NOT_HERE = (301, 302, 307, 308, 404, 405)
NOT_FOR_EVERYONE = (401, 403)
# The characters of a list handler's error that are kept.
MAX_TOLD = 500


class NoMCPEndpoint(Exception):
    """Says that there is no MCP endpoint at a path, which answered with the status that is the argument."""


class Guarded(Exception):
    """Says that an endpoint is not open to everyone: it answers initialize with 401, 403 or a JSON-RPC error."""


class Probe:
    """Is one conversation with the app over streamable HTTP at `path`, in memory."""

    def __init__(self, app: ASGIApp, host: str, path: str = "/mcp") -> None:
        self._app = app
        self._host = host
        self._path = path
        self._session: str | None = None
        # The version that initialize agreed on: an older SDK refuses requests with a version that it does not know.
        self._version: str | None = None
        self._next_id = 0

    async def contract(self) -> dict[str, Any]:
        """Initializes, and returns all pages of every list that the server's capabilities announce.

        A list that fails, because it needs a database or a caller's key, does not stop the deploy: its error is one of
        the contract's `problems`. Raises NoMCPEndpoint, Guarded, or ServerError if initialize gets no answer.
        """
        hello = await self._initialize()
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        info = hello.get("serverInfo", {})
        contract: dict[str, Any] = {
            "name": info.get("name", ""),
            "version": info.get("version", ""),
            "instructions": hello.get("instructions"),
            "capabilities": hello.get("capabilities", {}),
        }
        problems: list[dict[str, str]] = []
        for method, capability, key in LISTS:
            promised = capability in contract["capabilities"]
            try:
                contract[key] = await self._list(method, key) if promised else []
            except ServerError as problem:
                contract[key] = []
                problems.append({"method": method, "message": problem.message[:MAX_TOLD]})
        if problems:
            contract["problems"] = problems
        await self._leave()
        return contract

    async def _leave(self) -> None:
        if self._session:
            await self._send("DELETE", b"")

    async def greet(self) -> None:
        """Initializes only, and raises the errors that `contract` raises."""
        await self._initialize()
        await self._leave()

    async def status(self, body: bytes) -> int:
        """Returns the HTTP status of the answer to a POST of `body`."""
        status, _, _ = await self._send("POST", body)
        return status

    async def _initialize(self) -> dict[str, Any]:
        params = {"protocolVersion": HANDSHAKE_VERSIONS[-1], "capabilities": {}, "clientInfo": CLIENT_INFO}
        hello = await self.request("initialize", params)
        self._version = hello.get("protocolVersion")
        return hello

    async def _list(self, method: str, key: str) -> list[Any]:
        items: list[Any] = []
        cursor = None
        for _ in range(MAX_PAGES):
            try:
                page = await self.request(method, {"cursor": cursor} if cursor else {})
            except MethodNotFound:
                return items
            items += page.get(key, [])
            cursor = page.get("nextCursor")
            if not cursor:
                return items
        raise ServerError(f"{method} has more than {MAX_PAGES} pages", hint="check that the cursor comes to an end")

    async def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the result of a request.

        Raises MethodNotFound if the server does not have the method, and ServerError for any other JSON-RPC error.
        """
        self._next_id += 1
        answer = await self._post({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        if "error" in answer:
            error = answer["error"]
            if method == "initialize":
                raise Guarded(f"{error.get('message')} (JSON-RPC {error.get('code')})")
            if error.get("code") == -32601:
                raise MethodNotFound(method)
            raise ServerError(
                f"{method} failed: {error.get('message')} (JSON-RPC {error.get('code')})",
                hint="call the handler by hand, or see the log for its traceback",
            )
        result: dict[str, Any] = answer.get("result", {})
        return result

    async def _post(self, message: Mapping[str, Any]) -> dict[str, Any]:
        status, headers, body = await self._send("POST", json.dumps(message).encode())
        if "id" not in message:
            return {}
        if status in NOT_HERE and message["method"] == "initialize":
            raise NoMCPEndpoint(status)
        if status in NOT_FOR_EVERYONE and message["method"] == "initialize":
            raise Guarded(f"HTTP {status}")
        self._session = headers.get("mcp-session-id", self._session)
        answer = next((said for said in messages_in(body) if said.get("id") == message["id"] or "error" in said), None)
        if answer is None:
            raise ServerError(f"{message['method']} was answered with HTTP {status} and no JSON-RPC message")
        return answer

    async def _send(self, method: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        headers = [
            (b"host", self._host.encode()),
            (b"accept", b"application/json, text/event-stream"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"user-agent", b"homeport"),
        ]
        if self._session:
            headers.append((b"mcp-session-id", self._session.encode()))
        if self._version:
            headers.append((b"mcp-protocol-version", self._version.encode()))
        return await call_app(self._app, method, self._path, headers, body)


class MethodNotFound(Exception):
    """Says that the server does not have the method, whatever its capabilities announce."""


async def call_app(
    app: ASGIApp, method: str, path: str, headers: Headers, body: bytes, query: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Sends one request to an ASGI app without a socket, and returns status, headers by name and the whole body."""
    status, fields, answer = await exchange(app, method, path, headers, body, query)
    names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in fields}
    return status, names, answer


async def exchange(
    app: ASGIApp, method: str, path: str, headers: Headers, body: bytes, query: bytes = b""
) -> tuple[int, Headers, bytes]:
    """Sends one request as `call_app` does, and returns the headers as they were sent."""
    fields: Headers = []
    scope = {**_scope(method, path, headers), "query_string": query}
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    finished = asyncio.Event()
    status, chunks = 0, []

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await finished.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status, fields
        if message["type"] == "http.response.start":
            status = message["status"]
            fields = [(bytes(name), bytes(value)) for name, value in message["headers"]]
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))
            if not message.get("more_body"):
                finished.set()

    try:
        await app(scope, receive, send)
    finally:
        finished.set()
    return status, fields, b"".join(chunks)


def _scope(method: str, path: str, headers: Headers) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }


async def has_stream(app: ASGIApp, path: str, host: str) -> bool:
    """Tells whether GET `path` opens an event stream, which is closed as soon as it has begun."""
    begun: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    scope = _scope("GET", path, [(b"host", host.encode()), (b"accept", b"text/event-stream")])

    async def receive() -> Message:
        await begun
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start" and not begun.done():
            types = [bytes(value) for name, value in message["headers"] if name.lower() == b"content-type"]
            begun.set_result(message["status"] == 200 and types[:1] != [] and types[0].startswith(b"text/event-stream"))

    request: asyncio.Future[Any] = asyncio.ensure_future(app(scope, receive, send))
    await asyncio.wait((request, begun), return_when=asyncio.FIRST_COMPLETED)
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    return begun.done() and begun.result()
