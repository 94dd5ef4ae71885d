"""Serves the part of the API that reads projects' logs."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from ..api.log_record import Level
from ..log_query import LogQuery
from .overview import Overview

# The newest records that are given at most: they are in memory together.
MAX_TAIL = 2000


def log_routes(overview: Overview) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/logs")
    async def logs(
        name: str,
        follow: bool = False,
        since: float = 0.0,
        tail: Annotated[int | None, Query(ge=0, le=MAX_TAIL)] = None,
        level: Level = "debug",
        text: str = "",
        release: str | None = None,
        request: str | None = None,
    ) -> StreamingResponse:
        """Answers the whole log from about `since` on, or with `tail` the newest records alone, and those exactly of
        the level, text, release and request that are asked for.
        """
        if tail is None:
            lines = overview.logs(name, follow=follow, since=since)
        else:
            # Not a regular expression: a bad one takes for ever.
            query = LogQuery(since, level, f"(?i){re.escape(text)}", release, request)
            lines = overview.newest_logs(name, follow=follow, query=query, most=tail)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return routes
