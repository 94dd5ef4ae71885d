"""Serves the part of the API about deployments: where they came from, how they were built, and what they changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter

from ..api.deployment import BuildLog, DeploymentEntry
from ..api.difference import ToolsDifference
from ..contract import compare
from ..errors import NotFoundError
from .deployments import Deployments


def deployment_routes(
    known: Deployments,
    listed: Callable[[str], list[DeploymentEntry]],
    contract: Callable[[str, int], Mapping[str, Any] | None],
) -> APIRouter:
    """Returns the routes; `listed` returns what was deployed to a project, `contract` the contract of a release."""
    routes = APIRouter()

    @routes.get("/v1/projects/{name}/deployments")
    async def deployments(name: str) -> list[DeploymentEntry]:
        return listed(name)

    @routes.get("/v1/projects/{name}/builds")
    async def build_log(name: str, release: int | None = None) -> BuildLog:
        """Returns the newest build's log, or that of a release."""
        return find_build_log(known, name, release)

    @routes.get("/v1/projects/{name}/difference")
    async def difference(name: str, old: int, new: int) -> ToolsDifference:
        return compare(contract(name, old), contract(name, new)).data()

    return routes


def find_build_log(known: Deployments, project: str, release: int | None) -> BuildLog:
    """Returns the log of the newest build, or that of a release.

    Raises NotFoundError if there is none.
    """
    chosen = [d for d in known.of(project) if d.started_at and release in (None, d.release)]
    if not chosen:
        what = f"v{release} of {project}" if release is not None else project
        raise NotFoundError(
            f"there is no build log of {what} here", hint="only commits are built by the platform itself"
        )
    return {"log": known.log(chosen[0]), "sha": chosen[0].sha, "state": chosen[0].state}
