"""Errors as the API writes them: what client.error_from reads."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from ..errors import HomeportError


def answer_errors(app: FastAPI) -> None:
    @app.exception_handler(HomeportError)
    async def expected(_request: Request, error: HomeportError) -> JSONResponse:
        return error_response(error)


def error_response(error: HomeportError) -> JSONResponse:
    body = {"category": error.category, "message": error.message, "hint": error.hint}
    return JSONResponse({"error": body}, status_code=404 if error.exit_code == 4 else 409)
