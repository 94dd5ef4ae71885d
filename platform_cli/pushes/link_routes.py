"""Defines the part of the API for linked repositories; it takes tokens, and never returns one."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr

from ..api.gate import WEBHOOK_PATH
from ..api.link import ListedLink, Unlinked
from ..config.paths import CONTROL
from ..errors import InputError
from ..github.repository import GitHub, Repository, check_address, is_full_name
from .deployments import Deployments
from .linking import Linking, LinkRequest
from .links import Link, Links


class NewLink(BaseModel):
    """Is the body of a new link (see `api.link.WantedLink`).

    `poll` watches the branch instead of a webhook, whose deliveries go to `webhook_url`, by default the platform's own.
    """

    server_url: str
    api_url: str
    name: str
    token: SecretStr
    branch: str | None = None
    folder: str = ""
    previews: bool = False
    poll: bool = False
    webhook_url: str | None = None


def link_routes(
    linking: Linking,
    links: Links,
    deployments: Deployments,
    public_url: Callable[[Request], str | None],
    *,
    polls: bool = True,
) -> APIRouter:
    """Returns the routes.

    `public_url` returns where GitHub reaches this platform, as it knows itself or from the request; None if nowhere.
    `polls` is whether the platform can look for commits by itself.
    """
    routes = APIRouter()

    @routes.post("/v1/github/links")
    async def link(body: NewLink, request: Request) -> ListedLink:
        if body.poll and not polls:
            raise InputError(
                "this platform runs only while it is asked something: it cannot look for new commits by itself",
                hint=f"leave --poll out: GitHub reaches it at {public_url(request)}{WEBHOOK_PATH}",
            )
        return _described(deployments, await linking.link(_request(body, public_url(request))))

    @routes.get("/v1/github/links")
    async def list_links() -> list[ListedLink]:
        return [_described(deployments, link) for link in links.all()]

    @routes.delete("/v1/github/links/{project}")
    async def unlink(project: str) -> Unlinked:
        return {"unlinked": project, "webhook_left": await linking.unlink(project)}

    return routes


def _request(body: NewLink, public_url: str | None) -> LinkRequest:
    github = GitHub(check_address(body.server_url, "server_url"), check_address(body.api_url, "api_url"))
    if not is_full_name(body.name):
        raise InputError(f"{body.name!r} is not a repository")
    url = None
    if not body.poll:
        url = body.webhook_url or (f"{public_url}{WEBHOOK_PATH}" if public_url else None)
        if url is None:
            raise InputError(
                "GitHub cannot reach this platform: it has no public name",
                hint="link with --poll, or give it one: homeport platform start --domain NAME",
            )
    elif body.previews:
        raise InputError("--previews needs the webhook", hint="leave --poll out")
    folder = posixpath.normpath(body.folder).removeprefix(".") if body.folder else ""
    if folder.startswith(("/", ".")) or CONTROL.search(folder):
        raise InputError(f"--path {body.folder!r} is not a folder within the repository")
    if body.branch is not None and (not body.branch or body.branch.startswith(("-", "refs/")) or "*" in body.branch):
        raise InputError(f"--branch {body.branch!r} is not the name of a branch")
    return LinkRequest(
        Repository(github, body.name), body.token.get_secret_value(), body.branch, folder, body.previews, url
    )


def _described(deployments: Deployments, link: Link) -> ListedLink:
    newest = deployments.newest(link.project)
    return {
        "project": link.project,
        "repository": link.repository.on_github.url,
        "branch": link.branch,
        "path": link.folder,
        "previews": link.previews,
        "watched": "webhook" if link.repository.hook_id is not None else "polling",
        "state": newest.state if newest else None,
        "sha": newest.sha if newest else None,
        "error": link.repository.error or (newest.error if newest else None),
    }
