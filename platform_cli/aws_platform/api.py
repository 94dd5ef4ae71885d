"""Implements the API of the platform on AWS: linked repositories, and their deployments."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from .. import __version__
from ..api.deployment import DeploymentEntry
from ..api.error_responses import answer_errors, error_response
from ..api.platform import PlatformState
from ..api.release import Release
from ..api.status import Status
from ..api.version import API_VERSION
from ..errors import InputError, NotFoundError
from ..github.archives import Archives
from ..pushes.deployment_routes import deployment_routes
from ..pushes.deployments import list_deployments
from ..pushes.link_routes import link_routes
from ..pushes.linking import Linking
from ..targets.aws_lambda.client import AWS
from ..targets.aws_lambda.projects import LambdaProjects
from .contracts import Contracts
from .deployments import DynamoDeployments
from .links import DynamoLinks, SecretsManagerVault
from .queue import DynamoPings, Queue
from .table import Table


def create_app(aws: AWS) -> FastAPI:
    app = FastAPI(title="homeport", version=__version__, docs_url=None, redoc_url=None)
    answer_errors(app)
    table, target = Table(aws), LambdaProjects(aws)
    links, deployments = DynamoLinks(table, SecretsManagerVault(aws)), DynamoDeployments(table)

    @app.get("/v1/platform")
    def describe_platform(request: Request) -> PlatformState:
        return {
            "version": __version__,
            "api": API_VERSION,
            "pid": None,
            "master": None,
            "projects": len(target.list_projects()),
            "isolate": None,
            "api_url": public_url(request),
            "domain": urlsplit(public_url(request)).netloc,
            "caddyfile": None,
            "edge_error": None,
        }

    @app.get("/v1/projects")
    def list_projects() -> list[Status]:
        return target.list_projects()

    @app.get("/v1/projects/{name}")
    def status(name: str) -> Status:
        return target.status(name)

    @app.get("/v1/projects/{name}/releases")
    def versions(name: str) -> list[Release]:
        return target.versions(name)

    def listed(name: str) -> list[DeploymentEntry]:
        commits = deployments.of(name)
        try:
            return list_deployments(commits, target.versions(name))
        except NotFoundError:
            # The project does not exist yet, or not any more.
            if not commits:
                raise
            return list_deployments(commits, ())

    linking = Linking(links, deployments, Archives(), DynamoPings(table), Queue(aws).wake)
    app.include_router(link_routes(linking, links, deployments, public_url, polls=False))
    app.include_router(deployment_routes(deployments, listed, Contracts(table).of))

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    def elsewhere(path: str) -> JSONResponse:
        hint = "with AWS credentials, without --platform: add --target lambda"
        return error_response(InputError(f"the platform on AWS does not answer /{path}", hint=hint))

    return app


def public_url(request: Request) -> str:
    """Returns the URL of the request, since AWS passes on no request for another name."""
    return str(request.base_url).rstrip("/")
