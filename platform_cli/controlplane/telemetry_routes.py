"""Serves the part of the API that tells what projects have done."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from ..api.error_group import Change, ErrorGroup, ErrorGroupDetail
from ..api.metrics import By, Metrics
from ..telemetry.prometheus import CONTENT_TYPE
from .telemetry import Telemetry


class ErrorChange(BaseModel):
    state: Change


def telemetry_routes(telemetry: Telemetry) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/metrics")
    async def metrics(name: str, since: float = 0.0, by: By = "tool") -> Metrics:
        return await telemetry.metrics(name, since, by)

    @routes.get("/v1/projects/{name}/errors")
    async def errors(name: str) -> list[ErrorGroup]:
        return await telemetry.errors(name)

    @routes.get("/v1/projects/{name}/errors/{group}")
    async def error(name: str, group: int) -> ErrorGroupDetail:
        return await telemetry.error(name, group)

    @routes.patch("/v1/projects/{name}/errors/{group}")
    async def change_error(name: str, group: int, body: ErrorChange) -> ErrorGroupDetail:
        return await telemetry.change_error(name, group, body.state)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> PlainTextResponse:
        return PlainTextResponse(telemetry.prometheus(), media_type=CONTENT_TYPE)

    return routes
