"""Serves the part of the API for sign-ins: the owner approves them, and sees and ends what was granted."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from ..api.sign_in import ListedGrant, SignInLink, SignInsEnded, WaitingSignIn
from ..config.names import AT
from ..errors import InputError
from ..signin.browsers import LINK_S
from ..signin.model import OFFLINE_ACCESS, OWNER
from ..signin.pending import PendingSignIn
from ..signin.redirects import place_of
from ..signin.resources import no_resource
from .platform import Platform


class Approval(BaseModel):
    """Is the body of an approval: who signs in."""

    user: str = OWNER


def sign_in_routes(platform: Platform) -> APIRouter:
    routes = APIRouter()
    server = platform.sign_in.server

    @routes.get("/v1/sign-ins/{code}")
    async def waiting(code: str) -> WaitingSignIn:
        return _shown(server.waiting(code))

    @routes.post("/v1/sign-ins/{code}")
    async def approve(code: str, body: Approval) -> WaitingSignIn:
        return _shown(server.approve(code, body.user))

    @routes.post("/v1/projects/{name}/sign-in-link")
    async def make_link(name: str) -> SignInLink:
        check_exists(platform, name)
        if server.projects.find(name) is None:
            hint = 'write mode = "oauth" under [auth] in its fastmcp.toml, and deploy it'
            raise InputError(f"nobody signs in to {name}", hint=hint)
        link = server.browsers.make_link(name)
        return {"url": f"{server.issuer()}/authorize/link?link={link}", "expires_in": int(LINK_S)}

    @routes.get("/v1/projects/{name}/users")
    async def users(name: str) -> list[ListedGrant]:
        return list_grants(platform, name)

    @routes.delete("/v1/projects/{name}/users/{user:path}")
    async def end(name: str, user: str) -> SignInsEnded:
        if platform.sign_in.resources.find(name) is not None:
            return {"user": user, "ended": server.end(name, user)}
        return {"user": user, "ended": await platform.callers.end_sign_ins(name, user)}

    return routes


def _shown(pending: PendingSignIn) -> WaitingSignIn:
    asked = pending.asked
    return {
        "project": asked.project,
        "client": asked.client_name,
        "client_id": asked.client,
        "redirects_to": place_of(asked.redirect_uri),
        "scopes": [scope for scope in asked.scopes if scope != OFFLINE_ACCESS],
    }


def check_exists(platform: Platform, name: str) -> None:
    """Raises NotFoundError if there is neither a project nor a resource elsewhere of that name."""
    if platform.sign_in.resources.find(name) is None:
        if AT in name:
            raise no_resource(name)
        platform.stores.store.project(name)


def list_grants(platform: Platform, project: str) -> list[ListedGrant]:
    """Returns who has signed in to a project.

    Raises NotFoundError if it does not exist.
    """
    check_exists(platform, project)
    return [
        {
            "user": each.grant.user,
            "client": each.client_name,
            "client_id": each.grant.client,
            "scopes": list(each.grant.scopes),
            "created_at": each.created_at,
            "used_at": each.used_at,
        }
        for each in platform.sign_in.server.grants.listed(project)
    ]
