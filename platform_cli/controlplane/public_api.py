"""Serves the parts of the API that a public host needs: tokens, its domain, and builds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from ..api.error_responses import error_response
from ..api.platform import DomainSet, ListedToken, NewToken, PublicName, Revoked
from ..api.status import StatusWithToken
from ..errors import InputError
from ..platform_client.upload import MAX_UPLOAD
from .builds import Builds
from .domain import read_domain
from .platform import Platform


class TokenName(BaseModel):
    name: str


class PublicDomain(BaseModel):
    """Is the body that sets the domain, None to have none."""

    domain: str | None


def public_routes(platform: Platform, builds: Builds) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/tokens")
    async def list_tokens() -> list[ListedToken]:
        return platform.stores.list_tokens()

    @routes.post("/v1/tokens")
    async def create_token(body: TokenName) -> NewToken:
        return {"name": body.name, "token": platform.stores.tokens.create(body.name)}

    @routes.delete("/v1/tokens/{name}")
    async def revoke_token(name: str) -> Revoked:
        platform.stores.revoke_token(name)
        return {"revoked": name}

    @routes.put("/v1/domain")
    async def set_domain(body: PublicDomain) -> DomainSet:
        tokens = await platform.set_domain(read_domain(body.domain) if body.domain is not None else None)
        closed: list[StatusWithToken] = [
            {**platform.overview.status(name), "token": token} for name, token in tokens.items()
        ]
        return {"domain": body.domain, "closed": closed}

    @routes.post("/v1/edge")
    async def open_edge() -> PublicName:
        await platform.publishing.open()
        return {"domain": str(platform.edge.domain) if platform.edge.domain else None}

    @routes.post("/v1/builds", response_model=None)
    async def build(request: Request) -> StreamingResponse | JSONResponse:
        archive = await _received(request)
        if archive is None:
            answer = error_response(InputError(f"an upload may have {MAX_UPLOAD // 1_000_000} MB"), status=413)
            # Without this the rest of the body would still be read.
            answer.headers["Connection"] = "close"
            return answer

        async def lines() -> AsyncIterator[str]:
            async for event in builds.run(archive):
                yield json.dumps(event) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return routes


async def _received(request: Request) -> IO[bytes] | None:
    """Returns the body in a temporary file, None if it is larger than an upload may be."""
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the build closes it
    try:
        async for chunk in request.stream():
            archive.write(chunk)
            if archive.tell() > MAX_UPLOAD:
                archive.close()
                return None
        archive.seek(0)
    except BaseException:
        archive.close()
        raise
    return archive
