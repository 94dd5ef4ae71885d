"""Serves the part of the API that tells what projects have done."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from ..api.metrics import By, Metrics
from ..telemetry.prometheus import CONTENT_TYPE
from .telemetry import Telemetry


def telemetry_routes(telemetry: Telemetry) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/metrics")
    async def metrics(name: str, since: float = 0.0, by: By = "tool", until: float | None = None) -> Metrics:
        return await telemetry.metrics(name, since, by, until)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> PlainTextResponse:
        return PlainTextResponse(telemetry.prometheus(), media_type=CONTENT_TYPE)

    return routes
