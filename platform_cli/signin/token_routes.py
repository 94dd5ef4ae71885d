"""Serves the endpoints that programs use: metadata, registration, tokens and revocation, for pages of any origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from homeport_runtime.guard.auth import bearer_token
from homeport_runtime.guard.issuing_platform import PATH as REFUSED_PATH

from .model import OAuthError
from .peers import REPORTED, Peers
from .registration import MAX_METADATA, read_registration, registered
from .server import JWKS_PATH, AuthorizationServer

METADATA_PATH = "/.well-known/oauth-authorization-server"
# The most bytes of a form.
MAX_FORM = 64 * 1024
# None of these endpoints knows its caller by a cookie, so any page may use them (RFC 8414 and MCP clients in browsers).
CORS = {"access-control-allow-origin": "*", "access-control-expose-headers": "www-authenticate"}
PREFLIGHT = {
    **CORS,
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "*, authorization",
    "access-control-max-age": "600",
}

Handler = Callable[[Request], Awaitable[Response]]


def token_routes(server: AuthorizationServer, peers: Peers) -> list[Route]:
    async def metadata(_request: Request) -> Response:
        return JSONResponse(server.metadata(), headers=CORS)

    async def jwks(_request: Request) -> Response:
        # A cache on the way would keep back that a sign-in has ended.
        return JSONResponse(server.key_set(), headers={**CORS, "cache-control": "no-cache"})

    async def register(request: Request) -> Response:
        if server.is_public:
            peers.count(request)
        body = await read_body(request, MAX_METADATA)
        client = read_registration(body)
        server.clients.put(client)
        return JSONResponse(registered(client, body), 201, {**CORS, "cache-control": "no-store"})

    async def token(request: Request) -> Response:
        answer = server.exchange(await read_form(request))
        return JSONResponse(answer, headers={**CORS, "cache-control": "no-store"})

    async def revoke(request: Request) -> Response:
        server.revoke(await read_form(request))
        return Response(status_code=200, headers=CORS)

    async def refused(request: Request) -> Response:
        if server.is_public:
            peers.count(request, REPORTED)
        server.hear_of_refusal(bearer_token(request.scope) or "")
        return Response(status_code=204, headers=CORS)

    return [
        _route(METADATA_PATH, metadata, "GET"),
        _route(JWKS_PATH, jwks, "GET"),
        _route("/register", register, "POST"),
        _route("/token", token, "POST"),
        _route("/revoke", revoke, "POST"),
        _route(REFUSED_PATH, refused, "POST"),
    ]


async def read_body(request: Request, limit: int) -> bytes:
    """Returns a body of up to `limit` bytes.

    Raises OAuthError for a longer one.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise OAuthError("invalid_request", f"the body may have {limit} bytes", 413)
    return bytes(body)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Returns the fields of a form.

    Raises OAuthError if it is none.
    """
    body = await read_body(request, MAX_FORM)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise OAuthError("invalid_request", "the body is not a form in UTF-8") from None


def _route(path: str, handle: Handler, method: str) -> Route:
    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT)
        try:
            return await handle(request)
        except OAuthError as error:
            said = {"error": error.code, "error_description": error.description}
            return JSONResponse(said, error.status, {**CORS, "cache-control": "no-store"})

    return Route(path, answer, methods=[method, "OPTIONS"])
