"""Is the ASGI app of the authorization server, and says which paths are its own."""

from __future__ import annotations

from starlette.applications import Starlette

from homeport_runtime.asgi import ASGIApp
from homeport_runtime.guard.issuing_platform import PATH as REFUSED_PATH

from .page_routes import SignInPages
from .peers import Peers
from .server import JWKS_PATH, AuthorizationServer
from .token_routes import METADATA_PATH, token_routes


def sign_in_app(server: AuthorizationServer) -> ASGIApp:
    peers = Peers(server.issuer)
    return Starlette(routes=[*token_routes(server, peers), *SignInPages(server, peers).routes()])


def is_sign_in(path: str) -> bool:
    """Tells whether everyone may ask for a path, since people sign in there."""
    open_paths = ("/authorize", "/token", "/register", "/revoke", REFUSED_PATH, METADATA_PATH, JWKS_PATH)
    return path in open_paths or path.startswith("/authorize/")
