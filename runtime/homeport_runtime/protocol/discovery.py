"""Records what a server answers to every client alike, so that a function can answer it before it imports the server.

Most clients only ask for that. The HTTP answer is recorded with a placeholder for the request's id. An answer that
differs between two clients, or between two moments, is not recorded, and a request that has more in it than the method
needs is not answered from the record.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ..asgi import Headers
from .jsonrpc import HANDSHAKE_VERSIONS
from .modern_request import CAPABILITIES_KEY, LOG_LEVEL_KEY, MODERN_VERSIONS, VERSION_KEY

FILE_NAME = "discovery.json"
(MODERN_VERSION,) = MODERN_VERSIONS
CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
INITIALIZED = "notifications/initialized"
# The placeholder for the request's id.
ID = "homeport-recorded"

# Sends headers and a body, and returns status, headers and body.
Ask = Callable[[Headers, bytes], Awaitable[tuple[int, Headers, bytes]]]


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


def key_of(headers: Mapping[str, str], message: object) -> str | None:
    """Returns the name under which the answer to a message is recorded; None if it may depend on more than the method.

    Header names are in lower case.
    """
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not _is_usual(headers):
        return None
    method, params, request_id = message.get("method"), message.get("params", {}), message.get("id")
    version = headers.get("mcp-protocol-version", "")
    if not isinstance(params, dict) or not isinstance(method, str):
        return None
    asked: Any = version
    if method == INITIALIZED:
        plain = "id" not in message and version != MODERN_VERSION and not params
    elif not isinstance(request_id, str | int) or isinstance(request_id, bool):
        plain = False
    elif version == MODERN_VERSION:
        plain = _is_modern(method, headers, params)
    elif method == "initialize":
        asked = params.get("protocolVersion")
        plain = asked in HANDSHAKE_VERSIONS and version in ("", asked)
    else:
        plain = method in ("ping", *LISTS) and _is_bare(params)
    return f"{method} {asked}" if plain else None


def _is_bare(params: Mapping[str, Any]) -> bool:
    return not params or (set(params) == {"_meta"} and set(params["_meta"] or {}) <= {"progressToken"})


def _is_usual(headers: Mapping[str, str]) -> bool:
    accept = headers.get("accept", "")
    return (
        "application/json" in accept
        and "text/event-stream" in accept
        and headers.get("content-type", "").partition(";")[0] == "application/json"
        and "last-event-id" not in headers
    )


def _is_modern(method: str, headers: Mapping[str, str], params: Mapping[str, Any]) -> bool:
    meta = params.get("_meta")
    return (
        method in ("server/discover", *LISTS)
        and headers.get("mcp-method") == method
        and set(params) == {"_meta"}
        and isinstance(meta, dict)
        and meta.get(VERSION_KEY) == MODERN_VERSION
        and isinstance(meta.get(CAPABILITIES_KEY), dict)
        and LOG_LEVEL_KEY not in meta
    )


async def record(ask: Ask) -> dict[str, Any]:
    """Returns the content of discovery.json: the answers of a server that is served without sessions."""
    answers: dict[str, int] = {}
    kept: list[tuple[int, list[list[str]], str]] = []
    for key, headers, message in recorded_requests():
        first, second = [await ask(*as_asked(headers, message, client)) for client in ("one", "another")]
        if (
            first != second
            or first[0] not in (200, 202)
            or (first[2].count(ID.encode()) != (1 if "id" in message else 0))
        ):
            continue
        status, fields, body = first
        entry = (status, [[name.decode("latin-1"), value.decode("latin-1")] for name, value in fields], body.decode())
        if entry not in kept:
            kept.append(entry)
        answers[key] = kept.index(entry)
    return {"answers": answers, "kept": kept}


def recorded_requests() -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    for version in HANDSHAKE_VERSIONS:
        params = {"protocolVersion": version, "capabilities": {}}
        yield f"initialize {version}", {}, {"method": "initialize", "id": ID, "params": params}
    for version in ("", *HANDSHAKE_VERSIONS):
        headers = {"mcp-protocol-version": version} if version else {}
        yield f"{INITIALIZED} {version}", headers, {"method": INITIALIZED}
        for method in ("ping", *LISTS):
            yield f"{method} {version}", headers, {"method": method, "id": ID, "params": {}}
    for method in ("server/discover", *LISTS):
        meta = {VERSION_KEY: MODERN_VERSION, CAPABILITIES_KEY: {}}
        headers = {"mcp-protocol-version": MODERN_VERSION, "mcp-method": method}
        yield f"{method} {MODERN_VERSION}", headers, {"method": method, "id": ID, "params": {"_meta": meta}}


def as_asked(headers: Mapping[str, str], message: Mapping[str, Any], client: str) -> tuple[Headers, bytes]:
    """Returns a request as `client` sends it; two clients differ in their names, their capabilities and their
    User-Agent.
    """
    info = {"name": client, "version": str(len(client))}
    params = dict(message.get("params", {}))
    if message["method"] == "initialize":
        params["clientInfo"] = info
        params["capabilities"] = {"roots": {}} if client == "another" else {}
    if "_meta" in params:
        params["_meta"] = {**params["_meta"], CLIENT_INFO_KEY: info}
    body = json.dumps({"jsonrpc": "2.0", **message, **({"params": params} if params else {})}).encode()
    sent = {
        "host": "127.0.0.1:80",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "user-agent": client,
        **headers,
    }
    return [(name.encode(), value.encode()) for name, value in sent.items()], body


class Discovery:
    """Holds the recorded answers."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._answers: Mapping[str, int] = data["answers"]
        self._kept = data["kept"]

    def answer(self, headers: Mapping[str, str], message: Any) -> Answer | None:
        """Returns the recorded answer to a message, None if there is none."""
        key = key_of(headers, message)
        if key is None or key not in self._answers:
            return None
        status, fields, body = self._kept[self._answers[key]]
        if "id" in message:
            body = body.replace(json.dumps(ID), json.dumps(message["id"]))
        return Answer(
            status, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields], body.encode()
        )
