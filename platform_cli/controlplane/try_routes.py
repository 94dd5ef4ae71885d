"""Serves the part of the API that tries what projects offer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from homeport_runtime.guard.auth import bearer_token

from ..api.try_event import Replied
from ..clients.exact import read_object
from .tries import Tries


class Try(BaseModel):
    """Is a request to a project. `params` may be JSON as text, in which numbers survive a browser as they are."""

    method: Literal[
        "tools/call",
        "resources/read",
        "prompts/get",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "prompts/list",
    ]
    params: dict[str, Any] | str


class TryReply(BaseModel):
    """Is a person's reply to the `elicitation` of a server; only one that accepts has `content`, which may be text."""

    elicitation: str
    action: Literal["accept", "decline", "cancel"]
    content: dict[str, Any] | str | None = None


def try_routes(tries: Tries, asker: Callable[[str | None], str]) -> APIRouter:
    """Returns the routes; `asker` names who sends a request, by its bearer token."""
    routes = APIRouter(prefix="/v1/projects/{name}/try")

    @routes.post("")
    async def begin(name: str, body: Try, request: Request) -> StreamingResponse:
        lines = await tries.begin(name, body.method, _object(body.params), asker(bearer_token(request.scope)))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @routes.post("/{try_id}/replies")
    async def reply(name: str, try_id: str, body: TryReply) -> Replied:
        content = _object(body.content) if body.content is not None else None
        tries.reply(name, try_id, body.elicitation, body.action, content)
        return {"replied": body.elicitation}

    return routes


def _object(given: dict[str, Any] | str) -> dict[str, Any]:
    """Returns the object that was given. Raises InputError for what no server would read as it was written."""
    return read_object(given if isinstance(given, str) else json.dumps(given))
