"""Applies CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): the app's own, else that of the configuration."""

from __future__ import annotations

from ..asgi import ASGIApp, Headers, Message, Scope, Send, header
from ..protocol.probe import exchange

# The number of the app's answers that are cached, since a browser asks again and again for the same page.
MAX_REMEMBERED = 100
REQUEST_METHOD = b"access-control-request-method"
ALLOW_ORIGIN = b"access-control-allow-origin"
# What lets every page read a document; a client's own headers make a browser ask first.
OPEN_TO_PAGES: Headers = [(ALLOW_ORIGIN, b"*"), (b"access-control-allow-headers", b"*")]
# The seconds for which a browser may cache an answer.
MAX_AGE_S = 600


def is_preflight(scope: Scope) -> bool:
    return scope.get("method") == "OPTIONS" and None not in (header(scope, b"origin"), header(scope, REQUEST_METHOD))


class OwnCORS:
    """Asks the app, within this process, how it answers a preflight."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._answers: dict[tuple[str, str], bool] = {}

    async def allows(self, scope: Scope, origin: str) -> bool:
        asked = (scope["path"], origin)
        if asked not in self._answers:
            if len(self._answers) >= MAX_REMEMBERED:
                del self._answers[next(iter(self._answers))]
            self._answers[asked] = await self._ask(scope, origin)
        return self._answers[asked]

    async def _ask(self, scope: Scope, origin: str) -> bool:
        headers: Headers = [
            (b"host", (header(scope, b"host") or "").encode("latin-1")),
            (b"origin", origin.encode("latin-1")),
            (REQUEST_METHOD, str(scope.get("method", "GET")).encode()),
        ]
        _, answer, _ = await exchange(self._app, "OPTIONS", scope["path"], headers, b"")
        allowed = [value.decode("latin-1") for name, value in answer if name.lower() == ALLOW_ORIGIN]
        return allowed in (["*"], [origin])


def allowing(scope: Scope, origin: str, send: Send) -> Send:
    """Returns a `send` that tells the browser that `origin` may call, unless the app itself has said who may."""
    preflight, replaced = is_preflight(scope), False

    async def told(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start":
            headers: Headers = list(message["headers"])
            if not any(name.lower() == ALLOW_ORIGIN for name, _ in headers):
                replaced = preflight
                headers = _preflight_headers(scope) if preflight else headers
                headers += [(ALLOW_ORIGIN, origin.encode("latin-1")), (b"vary", b"origin")]
                headers.append((b"access-control-expose-headers", b"mcp-session-id, www-authenticate"))
                message = {**message, "status": 204 if preflight else message["status"], "headers": headers}
        elif replaced:
            message = {**message, "body": b""}
        await send(message)

    return told


def _preflight_headers(scope: Scope) -> Headers:
    asked = header(scope, b"access-control-request-headers")
    headers = [(b"access-control-allow-methods", b"GET, POST, DELETE"), (b"access-control-max-age", b"%d" % MAX_AGE_S)]
    if asked is not None:
        headers.append((b"access-control-allow-headers", asked.encode("latin-1")))
    return headers
