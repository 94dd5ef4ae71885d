"""The app's own CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): an Origin that it allows is let through."""

from __future__ import annotations

from ..asgi import ASGIApp, Headers, Scope, header
from ..probe import exchange

# How many of the app's answers are remembered: a browser asks again and again for the same page.
MAX_REMEMBERED = 100
REQUEST_METHOD = b"access-control-request-method"


def is_preflight(scope: Scope) -> bool:
    return scope.get("method") == "OPTIONS" and None not in (header(scope, b"origin"), header(scope, REQUEST_METHOD))


class OwnCORS:
    """What the app answers to a preflight, which it is asked in this process."""

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
        allowed = [value.decode("latin-1") for name, value in answer if name.lower() == b"access-control-allow-origin"]
        return allowed in (["*"], [origin])
