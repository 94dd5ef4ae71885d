"""Serves the part of the API for resources elsewhere that people sign in to here."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from ..api.resource import IssuerKeys, ListedResource, LoginApp, ResourceRemoved
from ..config.issuers import Login
from ..config.issuers import login as read_service
from ..config.names import check_name
from ..errors import InputError
from ..signin.model import ProtectedProject
from ..signin.resources import read_origin
from .platform import Platform


class ResourceAsked(BaseModel):
    """Is the body of a registration: a WantedResource."""

    project: str
    urls: list[str]
    scopes: list[str]
    baseline: list[str]
    implies: dict[str, list[str]]
    users: dict[str, list[str]] | None
    login: LoginApp | None
    login_secret: str | None


def resource_routes(platform: Platform) -> APIRouter:
    routes = APIRouter()
    sign_in = platform.sign_in

    @routes.get("/v1/issuer")
    async def issuer() -> IssuerKeys:
        server = sign_in.server
        return {"issuer": server.issuer(), "jwks_uri": server.jwks_uri, "keys": server.public_keys.jwks()}

    @routes.get("/v1/resources")
    async def resources() -> list[ListedResource]:
        return [_listed(each) for each in sign_in.resources.all()]

    @routes.put("/v1/resources")
    async def register(body: ResourceAsked) -> ListedResource:
        project = check_name(body.project, "the resource's project")
        return _listed(sign_in.register(project, _read(project, body), body.login_secret))

    @routes.delete("/v1/resources/{name}")
    async def remove(name: str) -> ResourceRemoved:
        sign_in.remove(name)
        return {"removed": name}

    return routes


def _read(project: str, body: ResourceAsked) -> ProtectedProject:
    users, login = body.users, body.login
    return ProtectedProject(
        project,
        tuple(dict.fromkeys(map(read_origin, body.urls))),
        tuple(body.scopes),
        tuple(body.baseline),
        {scope: tuple(contained) for scope, contained in body.implies.items()},
        None if users is None else {user: tuple(most) for user, most in users.items()},
        Login(_service(login["service"]), login["client_id"]) if login else None,
        is_elsewhere=True,
    )


def _service(value: str) -> str:
    """Raises InputError for what is no place where people sign in."""
    try:
        return read_service(value)
    except ValueError as error:
        raise InputError(f"auth.login {error}") from None


def _listed(resource: ProtectedProject) -> ListedResource:
    return {
        "name": resource.name,
        "urls": list(resource.urls),
        "scopes": list(resource.scopes),
        "login": resource.login.service if resource.login else None,
    }
