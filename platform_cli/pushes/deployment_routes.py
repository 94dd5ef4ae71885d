"""The part of the API that says what came from where, how it was built, and what it changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter

from ..contract import compare
from ..errors import NotFoundError
from .deployments import Deployments


def deployment_routes(
    known: Deployments,
    listed: Callable[[str], list[dict[str, Any]]],
    contract: Callable[[str, int], Mapping[str, Any] | None],
) -> APIRouter:
    """`listed` says what was deployed to a project; `contract` is that of a release."""
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/deployments")
    async def deployments(name: str) -> list[dict[str, Any]]:
        return listed(name)

    @routes.get("/v1/projects/{name}/builds")
    async def build_log(name: str, release: int | None = None) -> dict[str, Any]:
        """The newest build's log, or that of the release."""
        chosen = [d for d in known.of(name) if d.started_at and release in (None, d.release)]
        if not chosen:
            what = f"v{release} of {name}" if release is not None else name
            raise NotFoundError(
                f"there is no build log of {what} here", hint="only commits are built by the platform itself"
            )
        return {"log": known.log(chosen[0]), "sha": chosen[0].sha, "state": chosen[0].state}

    @routes.get("/v1/projects/{name}/difference")
    async def difference(name: str, old: int, new: int) -> dict[str, Any]:
        return compare(contract(name, old), contract(name, new)).data()

    return routes
