"""Serves the part of the API that tells what projects have done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from ..api.call_entry import CallEntry
from ..api.call_query import CallQuery
from ..api.error_group import Change, ErrorGroup, ErrorGroupDetail
from ..api.metrics import By, Metrics
from ..telemetry.prometheus import CONTENT_TYPE, OPENMETRICS
from .telemetry import Telemetry

# The operations that are given at most at once.
MAX_CALLS = 1000


class ErrorChange(BaseModel):
    state: Change


def telemetry_routes(telemetry: Telemetry) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/metrics")
    async def metrics(name: str, since: float = 0.0, by: By = "tool", until: float | None = None) -> Metrics:
        return await telemetry.metrics(name, since, by, until)

    @routes.get("/v1/projects/{name}/calls")
    async def calls(
        name: str,
        since: float = 0.0,
        until: float | None = None,
        tool: str | None = None,
        method: str | None = None,
        client: str | None = None,
        release: str | None = None,
        kind: str | None = None,
        request: str | None = None,
        slower_ms: float | None = None,
        most: Annotated[int, Query(ge=1, le=MAX_CALLS)] = 200,
    ) -> list[CallEntry]:
        query = CallQuery(since, until, tool, method, client, release, kind, request, slower_ms)
        return await telemetry.calls(name, query, most)

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
    async def prometheus(accept: Annotated[str, Header()] = "") -> PlainTextResponse:
        # Prometheus names it first of what it takes.
        open_metrics = "application/openmetrics-text" in accept
        text = telemetry.prometheus(open_metrics=open_metrics)
        return PlainTextResponse(text, media_type=OPENMETRICS if open_metrics else CONTENT_TYPE)

    return routes
