"""Defines what the platform tells of resources elsewhere that people sign in to here, and of how their tokens are
verified.
"""

from __future__ import annotations

from typing import Any

from .shape import Shape


class LoginApp(Shape):
    """Describes the owner's app at a `service` where people sign in (platform_cli.config.issuers.Login)."""

    service: str
    client_id: str


class WantedResource(Shape):
    """Describes a server elsewhere that runs `project`, at `urls` without a path.

    `scopes` are all that it knows, `baseline` those of a client that asks for none, `implies` those that a scope
    contains. `users` are the most that users may get, by name or pattern, None if nobody has said who may sign in.
    People sign in at `login`, None for the approval of the platform's owner; `login_secret` is that of the app there,
    None for the one of before.
    """

    project: str
    urls: list[str]
    scopes: list[str]
    baseline: list[str]
    implies: dict[str, list[str]]
    users: dict[str, list[str]] | None
    login: LoginApp | None
    login_secret: str | None


class ListedResource(Shape):
    """Describes a resource that is registered; for any other the platform issues no token."""

    name: str
    urls: list[str]
    scopes: list[str]
    login: str | None


class ResourceRemoved(Shape):
    removed: str


class IssuerKeys(Shape):
    """Holds the public keys of the platform's authorization server, `issuer`, which are at `jwks_uri`, too."""

    issuer: str
    jwks_uri: str
    keys: list[dict[str, Any]]
