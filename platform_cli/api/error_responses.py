"""Turns every error of a route into an answer of the one shape (see `failure`)."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from .. import __version__
from ..errors import HomeportError, InputError, PlatformError
from .failure import error_answer

VERSIONS_HINT = f"this platform is homeport {__version__}: use a command of the same version"


def answer_errors(app: FastAPI) -> None:
    """Makes `app` answer expected errors, malformed bodies and unknown paths in that shape."""

    @app.exception_handler(HomeportError)
    async def expected(_request: Request, error: HomeportError) -> JSONResponse:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        # The answer does not repeat the value, which may be a secret.
        where = ", ".join(_place(each["loc"]) for each in error.errors())
        message = f"{request.method} {request.url.path} was asked with what it does not take: {where}"
        return error_response(InputError(message, hint=VERSIONS_HINT), status=422)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        message = f"the platform has no {request.method} {request.url.path}"
        return error_response(PlatformError(message, hint=VERSIONS_HINT), status=error.status_code)


def error_response(error: HomeportError, *, status: int | None = None) -> JSONResponse:
    """Returns `error` as an answer; its HTTP status is 404 for a NotFoundError and 409 for all others, unless it is
    given.
    """
    return JSONResponse(error_answer(error), status_code=status or (404 if error.exit_code == 4 else 409))


def _place(location: Iterable[int | str]) -> str:
    """Returns where in the request a value is, such as `body.bundle`."""
    return ".".join(map(str, location))
