"""Guards the console against other web pages, by what browsers say of a request and what they are told with an answer.

Cookies would not do: a browser sends those of 127.0.0.1 to each of its ports, where deployed servers answer (RFC 6265,
section 8.5). The console has a key in its origin's own storage instead, which it sends as a bearer token.
"""

from __future__ import annotations

from homeport_runtime.asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header, send_json

from ..api.failure import error_answer
from ..errors import PlatformError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types homeport"
)
HEADERS: Headers = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
NOT_STORED = (b"cache-control", b"no-store")


class Guard:
    """Refuses what a page of another origin asks for, and has browsers keep to our own files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
                if not any(name == NOT_STORED[0] for name, _ in message["headers"]):
                    message["headers"].append(NOT_STORED)
            await send(message)

        if is_foreign(scope):
            error = PlatformError("a page of another site has asked for this", hint="open the console by itself")
            await send_json(guarded, 403, error_answer(error))
        else:
            await self._app(scope, receive, guarded)


def is_foreign(scope: Scope) -> bool:
    """Tells whether another site's page has sent a request, other than by leading the browser here (Fetch Metadata,
    https://www.w3.org/TR/fetch-metadata/).

    Another port of the same host is the same site, and a foreign origin nevertheless.
    """
    if header(scope, b"sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    leads_here = header(scope, b"sec-fetch-mode") == "navigate" and header(scope, b"sec-fetch-dest") == "document"
    return not (leads_here and scope["method"] == "GET")
