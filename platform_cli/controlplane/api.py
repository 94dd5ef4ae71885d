"""Serves the control plane's API, JSON over HTTP, on the Unix socket for the CLI of this machine."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable
from typing import Literal, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from .. import __version__
from ..api.audit_entry import Verified
from ..api.audit_query import AuditQuery
from ..api.error_responses import answer_errors, error_response
from ..api.inspection import Inspected
from ..api.platform import Destroyed, Isolate, Isolated, PlatformState, Restarting, Stopping, WastePiece
from ..api.release import Release
from ..api.status import ChangedStatus, DeployedStatus, Status, StatusWithToken
from ..config.names import check_name
from ..errors import HomeportError, PlatformError
from ..origin import Origin
from ..pushes.deployment_routes import deployment_routes
from ..pushes.link_routes import link_routes
from ..supervisor.release import Container
from .alert_routes import alert_routes
from .audit_export_routes import audit_export_routes
from .builds import Builds
from .client_token_routes import client_token_routes
from .console_routes import console_routes
from .ending import Ending
from .log_routes import log_routes
from .platform import Platform
from .public_api import public_routes
from .push_to_deploy import PushToDeploy
from .resource_routes import resource_routes
from .secret_routes import secret_routes
from .sign_in_routes import sign_in_routes
from .telemetry_routes import telemetry_routes
from .try_routes import try_routes

# The interval, in seconds, in which it is checked whether the client of a long operation is still connected.
DISCONNECT_CHECK_S = 0.2

Answer = TypeVar("Answer")


class InContainer(BaseModel):
    """Describes the container of a release: its `image` in the engine, the engine's network that it is in, and how many
    processors it has at most.
    """

    image: str
    network: Literal["bridge", "none"]
    cpus: float | None = Field(default=None, gt=0)


class Deploy(BaseModel):
    """Is the body of a deploy.

    `bundle` names a bundle in the home by hash. `folder` is where `author` (user@host) deployed from, `seconds` how
    long making the bundle took, `path` the author's PATH. With `container` it runs in one.
    """

    bundle: str = Field(pattern="^[0-9a-f]{32}$")
    folder: str
    author: str | None = None
    seconds: float | None = None
    path: str | None = None
    container: InContainer | None = None


class Clean(BaseModel):
    dry_run: bool


class HowIsolated(BaseModel):
    isolate: Isolate


class Inspect(BaseModel):
    """Is the body of an inspection.

    `draft` is the name of a bundle's temporary folder, `project` the one whose secrets it gets; `folder` and `path` are
    as for a deploy. With `container`, whose image is a base alone, it is loaded in one.
    """

    draft: str = Field(pattern=r"^\.[0-9a-f]{32}\.[a-z0-9_]+$")
    project: str | None = None
    folder: str | None = None
    path: str | None = None
    container: InContainer | None = None


class Rollback(BaseModel):
    release: int | None = None


def create_app(platform: Platform, builds: Builds, pushes: PushToDeploy, ending: Ending) -> FastAPI:  # noqa: C901
    app = FastAPI(title="homeport", version=__version__, docs_url=None, redoc_url=None)

    answer_errors(app)

    @app.exception_handler(OSError)
    @app.exception_handler(sqlite3.OperationalError)
    async def broken_disk(_request: Request, error: OSError | sqlite3.OperationalError) -> JSONResponse:
        """Answers for a full or broken disk, on which the projects are still served."""
        hint = "free space or repair it, then run the command again"
        return error_response(PlatformError(f"the platform cannot write its state: {error}", hint=hint))

    @app.get("/v1/platform")
    async def describe_platform() -> PlatformState:
        return platform.describe()

    @app.put("/v1/platform/isolation")
    async def isolate(body: HowIsolated) -> Isolated:
        await platform.isolate(body.isolate)
        return {"isolate": platform.users.isolation}

    @app.post("/v1/platform/clean")
    async def clean(body: Clean) -> list[WastePiece]:
        return [waste.data() for waste in await platform.garbage.collect(dry_run=body.dry_run)]

    @app.post("/v1/platform/stop")
    async def stop_platform() -> Stopping:
        ending.stop()
        return {"stopping": True}

    @app.post("/v1/platform/restart")
    async def restart_platform() -> Restarting:
        ending.restart()
        return {"restarting": True}

    @app.post("/v1/inspections")
    async def inspect(body: Inspect, request: Request) -> Inspected:
        container = _container(body.container)
        work = platform.releases.inspect(body.draft, body.project, body.folder, body.path, container)
        return await _while_connected(request, work)

    @app.get("/v1/projects")
    async def list_projects() -> list[Status]:
        return platform.overview.list_projects()

    @app.get("/v1/projects/{name}")
    async def status(name: str) -> Status:
        return platform.overview.status(name)

    @app.delete("/v1/projects/{name}")
    async def destroy(name: str) -> Destroyed:
        await platform.releases.destroy(name)
        return {"destroyed": name}

    @app.get("/v1/projects/{name}/releases")
    async def versions(name: str) -> list[Release]:
        return platform.overview.versions(name)

    @app.post("/v1/projects/{name}/releases")
    async def deploy(name: str, body: Deploy, request: Request) -> DeployedStatus:
        check_name(name, "the project name")
        origin = Origin(body.author, seconds=body.seconds, path=body.path)
        work = platform.releases.deploy(name, body.bundle, body.folder, origin, _container(body.container))
        return await _while_connected(request, work)

    @app.post("/v1/projects/{name}/token")
    async def renew_token(name: str) -> StatusWithToken:
        return await platform.callers.renew_token(name)

    @app.post("/v1/projects/{name}/rollback")
    async def rollback(name: str, body: Rollback, request: Request) -> ChangedStatus:
        return await _while_connected(request, platform.releases.rollback(name, body.release))

    @app.get("/v1/projects/{name}/audit")
    async def audit(
        name: str,
        since: float = 0.0,
        client: str | None = None,
        user: str | None = None,
        tool: str | None = None,
        result: str | None = None,
    ) -> StreamingResponse:
        lines = platform.audit.search(name, AuditQuery(since, client, user, tool, result))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    @app.get("/v1/projects/{name}/audit/verification")
    async def verify_audit(name: str) -> Verified:
        return await platform.audit.verify(name)

    def public_url(_request: Request) -> str | None:
        return platform.edge.domain.url if platform.edge.domain else None

    app.include_router(log_routes(platform.overview))

    app.include_router(public_routes(platform, builds))
    app.include_router(link_routes(pushes.linking, platform.stores.links, platform.stores.deployments, public_url))
    app.include_router(
        deployment_routes(platform.stores.deployments, platform.overview.list_deployments, platform.overview.contract)
    )
    app.include_router(secret_routes(platform.secrets))
    app.include_router(sign_in_routes(platform))
    app.include_router(resource_routes(platform))
    app.include_router(console_routes(platform))
    app.include_router(client_token_routes(platform.client_tokens))
    app.include_router(telemetry_routes(platform.telemetry))
    app.include_router(try_routes(platform.tries, platform.stores.asker))
    app.include_router(alert_routes(platform.alerts))
    app.include_router(audit_export_routes(platform.audit_exports))
    return app


def _container(body: InContainer | None) -> Container | None:
    return Container(**body.model_dump()) if body else None


async def _while_connected(request: Request, work: Awaitable[Answer]) -> Answer:
    """Awaits `work` for as long as its client is connected: Ctrl-C in the CLI ends an unfinished deploy."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=DISCONNECT_CHECK_S)
            if not task.done() and await request.is_disconnected():
                # Only once, since a second cancellation would interrupt the cleanup after the first.
                task.cancel()
                break
        return await task
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise HomeportError("the deploy was interrupted; what served before still does") from None
