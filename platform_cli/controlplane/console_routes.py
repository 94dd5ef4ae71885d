"""Serves the part of the API that lets a browser into the console."""

from __future__ import annotations

from fastapi import APIRouter

from ..api.console import ConsoleCode
from ..console.sessions import CODE_S
from .platform import Platform


def console_routes(platform: Platform) -> APIRouter:
    routes = APIRouter()

    @routes.post("/v1/console/codes")
    async def make_console_code() -> ConsoleCode:
        code = platform.stores.console_sessions.make_code()
        return {"url": f"{platform.publishing.reachable_url()}/console", "code": code, "expires_in": int(CODE_S)}

    return routes
