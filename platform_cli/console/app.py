"""Serves the console: one shell for every page, the files that it loads, and the pages as fragments of HTML.

Shell and files hold no data, and everybody may have them; a fragment takes a key.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from homeport_runtime.asgi import ASGIApp
from homeport_runtime.guard.auth import bearer_token

from ..api.failure import error_answer
from ..bearer import hash_of
from ..errors import HomeportError, NotFoundError, PlatformError
from .page import Asked, Page
from .pages import PAGES
from .rendering import render
from .security import Guard
from .sessions import Sessions, name_of
from .source import Source
from .trying import Handler, trying_routes

# The bytes of a login, which is a code.
MAX_LOGIN = 1000
STATIC = {
    "console.js": "text/javascript; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "console.svg": "image/svg+xml",
    "try.js": "text/javascript; charset=utf-8",
    "try.css": "text/css; charset=utf-8",
}


def console_app(source: Source, sessions: Sessions) -> ASGIApp:
    console = _Console(source, sessions)
    fragments = [
        *(Route(f"/console/f{page.path}", console.guarded(console.fragment(page))) for page in PAGES),
        *trying_routes(source, console.guarded),
    ]
    return Guard(
        Starlette(
            routes=[
                Route("/console/login", console.log_in, methods=["POST"]),
                Route("/console/logout", console.log_out, methods=["POST"]),
                Route("/console/static/{name}", console.static),
                *fragments,
                Route("/console/f{path:path}", console.nothing),
                Route("/console", console.shell),
                Route("/console/{path:path}", console.shell),
            ]
        )
    )


class _Console:
    def __init__(self, source: Source, sessions: Sessions) -> None:
        self._source = source
        self._sessions = sessions
        read = {name: (files(__package__) / "static" / name).read_bytes() for name in STATIC}
        named = {name: f"{hashlib.sha256(body).hexdigest()[:16]}-{name}" for name, body in read.items()}
        self._static = {named[name]: body for name, body in read.items()}
        self._place_of = lambda name: f"/console/static/{named[name]}"
        self._shell = render("shell.html", {"static": self._place_of})

    async def shell(self, _request: Request) -> Response:
        return HTMLResponse(self._shell)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            return Response(status_code=404)
        # Its name changes with its content.
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(self._static[name], media_type=STATIC[name.partition("-")[2]], headers=headers)

    async def log_in(self, request: Request) -> Response:
        """Gives a browser a key for a code, once."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_LOGIN:
                break
        key = self._sessions.open(_code(body))
        if key is None:
            error = PlatformError("this link was used, or is too old", hint="`homeport console` makes another")
            return JSONResponse(error_answer(error), 401)
        return JSONResponse({"key": key})

    async def log_out(self, request: Request) -> Response:
        self._sessions.end(bearer_token(request.scope) or "")
        return Response(status_code=204)

    def guarded(self, handler: Handler) -> Handler:
        """Returns what answers like `handler` for browsers with a key, and tells them of its errors."""

        async def answer(request: Request) -> Response:
            key = bearer_token(request.scope)
            if key is None or not self._sessions.accept(key):
                error = PlatformError("the console wants a key", hint="`homeport console` makes a link")
                return JSONResponse(error_answer(error), 401)
            try:
                return await handler(request)
            except HomeportError as error:
                return JSONResponse(error_answer(error), 404 if isinstance(error, NotFoundError) else 409)

        return answer

    def fragment(self, page: Page) -> Handler:
        async def answer(request: Request) -> Response:
            key = bearer_token(request.scope) or ""
            given, query = request.path_params, dict(request.query_params)
            asked = Asked(self._source, given, query, time.time(), name_of(hash_of(key)))
            try:
                told = await page.load(asked)
            except HomeportError as error:
                status = 404 if isinstance(error, NotFoundError) else 409
                return HTMLResponse(render("failed.html", {"error": error}), status)
            tabs = _tabs(page, asked.path.get("project"))
            shown = {"asked": asked, "page": page, "tabs": tabs, "static": self._place_of, **told}
            return HTMLResponse(render(f"{page.name}.html", shown))

        return answer

    async def nothing(self, request: Request) -> Response:
        error = NotFoundError(f"the console has no page {request.path_params['path']}")
        return HTMLResponse(render("failed.html", {"error": error}), 404)


@dataclass(frozen=True, slots=True)
class Tab:
    """Is a link to one of a project's pages."""

    label: str
    url: str
    is_current: bool


def _tabs(current: Page, project: str | None) -> list[Tab]:
    """Returns links to the pages of a project, none without one."""
    if project is None:
        return []
    return [
        Tab(page.tab, f"/console{page.path.format(project=project)}", page.tab == current.tab)
        for page in PAGES
        if page.tab is not None and "{" not in page.path.removeprefix("/projects/{project}")
    ]


def _code(body: bytes) -> str:
    """Returns the code in the body of a login, an empty one if there is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = said.get("code") if isinstance(said, dict) else None
    return code if isinstance(code, str) else ""
