"""The part of the API that says what came from where, how it was built, and what it changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from ..contract import compare
from ..errors import NotFoundError
from .platform import Platform


def deployment_routes(platform: Platform) -> APIRouter:
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/deployments")
    async def deployments(name: str) -> list[dict[str, Any]]:
        return platform.list_deployments(name)

    @routes.get("/v1/projects/{name}/builds")
    async def build_log(name: str, release: int | None = None) -> dict[str, Any]:
        """The newest build's log, or that of the release."""
        chosen = [d for d in platform.deployments.of(name) if d.started_at and release in (None, d.release)]
        if not chosen:
            what = f"v{release} of {name}" if release is not None else name
            raise NotFoundError(
                f"there is no build log of {what} here", hint="only commits are built by the platform itself"
            )
        return {"log": platform.deployments.log(chosen[0]), "sha": chosen[0].sha, "state": chosen[0].state}

    @routes.get("/v1/projects/{name}/difference")
    async def difference(name: str, old: int, new: int) -> dict[str, Any]:
        found = compare(platform.contract(name, old), platform.contract(name, new))
        return {**asdict(found), "breaking": found.is_breaking, "lines": found.lines()}

    return routes
