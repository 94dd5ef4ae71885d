"""The function that the world sees: GitHub's webhook, and the API for linked repositories, behind a Function URL.

Mangum turns its events into ASGI; answers come in one piece, which is right here. A body may have 6 MB, which Lambda
checks before us (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
"""

from __future__ import annotations

import hmac
import math
import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mangum import Mangum

from ... import __version__
from ...errors import InputError, NotFoundError
from ...github.archives import Archives
from ...targets.aws_lambda.client import AWS
from ...targets.aws_lambda.target import LambdaTarget
from ..access import hash_of
from ..deliveries import Deliveries
from ..deployment_routes import deployment_routes
from ..deployments import Deployments, describe
from ..error_responses import answer_errors, error_response
from ..gate import Gate
from ..link_routes import link_routes
from ..linking import Linking
from ..webhook_routes import webhook_routes
from .contracts import Contracts
from .deployments import DynamoDeployments
from .links import DynamoLinks, SecretsManagerVault
from .names import TOKEN_VARIABLE
from .queue import DynamoPings, Queue
from .table import Table


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One request of a Function URL (payload format 2.0)."""
    answer: dict[str, Any] = _mangum()(event, context)
    return answer


@cache
def _mangum() -> Mangum:
    return Mangum(Gate(create_app(AWS(None)), _accepts), lifespan="off")


def _accepts(token: str) -> bool:
    return hmac.compare_digest(hash_of(token), os.environ[TOKEN_VARIABLE])


def create_app(aws: AWS) -> FastAPI:
    app = FastAPI(title="homeport", version=__version__, docs_url=None, redoc_url=None)
    answer_errors(app)
    table = Table(aws)
    links = DynamoLinks(table, SecretsManagerVault(aws))
    deployments, queue, pings = DynamoDeployments(table), Queue(aws), DynamoPings(table)
    target = LambdaTarget(aws)

    @app.get("/v1/platform")
    def describe_platform(request: Request) -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": None,
            "projects": len(target.list_projects()),
            "api_url": public_url(request),
            "domain": urlsplit(public_url(request)).netloc,
            "caddyfile": None,
            "edge_error": None,
        }

    @app.get("/v1/projects")
    def list_projects() -> list[dict[str, Any]]:
        return target.list_projects()

    @app.get("/v1/projects/{name}")
    def status(name: str) -> dict[str, Any]:
        return target.status(name)

    @app.get("/v1/projects/{name}/releases")
    def versions(name: str) -> list[dict[str, Any]]:
        return target.versions(name)

    def listed(name: str) -> list[dict[str, Any]]:
        return _listed(name, deployments, target)

    linking = Linking(links, deployments, Archives(), pings, queue.wake)
    app.include_router(webhook_routes(Deliveries(links, deployments, pings, queue.wake)))
    app.include_router(link_routes(linking, links, deployments, public_url, polls=False))
    app.include_router(deployment_routes(deployments, listed, Contracts(table).of))

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    def elsewhere(path: str) -> JSONResponse:
        hint = "with AWS credentials, without --platform: add --target lambda"
        return error_response(InputError(f"the platform on AWS does not answer /{path}", hint=hint))

    return app


def public_url(request: Request) -> str:
    """As it was asked: AWS leads nothing here that asks for another name."""
    return str(request.base_url).rstrip("/")


def _listed(name: str, deployments: Deployments, target: LambdaTarget) -> list[dict[str, Any]]:
    """The commits, and the releases that came from laptops."""
    known = deployments.of(name)
    try:
        versions = target.versions(name)
    except NotFoundError:
        if not known:
            raise
        versions = []
    numbers = {f"v{deployment.release}" for deployment in known}
    # What is made now is of the commit that runs.
    now = min((d.started_at for d in known if d.state == "running" and d.started_at), default=math.inf)
    laptop = [
        {
            "release": version["release"],
            "source": "laptop",
            "who": None,
            "at": version["created_at"],
            "result": "live",
            "seconds": None,
            "message": version["reason"],
            "error": None,
        }
        for version in versions
        if version["release"] not in numbers and version["created_at"] < now
    ]
    return sorted([*laptop, *map(describe, known)], key=lambda one: -one["at"])
