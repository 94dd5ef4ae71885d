"""Defines what the authorization server deals with: protected projects, clients, and what was granted to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..config.issuers import Login

# Asks for a refresh token, and is no scope of any project (OpenID Connect Core 1.0, section 11).
OFFLINE_ACCESS = "offline_access"
# The user of a sign-in that the platform's owner has approved.
OWNER = "owner"


@dataclass(frozen=True, slots=True)
class ProtectedProject:
    """Is a project that people sign in to.

    `urls` are those that lead to it, without a path, the public one first. `scopes` are all that it knows, `baseline`
    those that a client gets which asks for none; both are empty where a project has no scopes, and then a token is good
    for everything. `implies` are the scopes that a scope contains. `users` are the most that users may get, by name or
    pattern, None if nobody has said who may sign in. `login` is where people sign in, None for the owner's approval.
    What `is_elsewhere` does not run here: its tokens are verified by public keys.
    """

    name: str
    urls: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    baseline: tuple[str, ...] = ()
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    users: Mapping[str, tuple[str, ...]] | None = None
    login: Login | None = None
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """Is a program that asks for access, known by its registration or by a document at the URL that is its id.

    `name` is what it says of itself, and may be made to deceive.
    """

    id: str
    name: str
    redirect_uris: tuple[str, ...]

    @property
    def is_document(self) -> bool:
        return self.id.startswith("https://")


@dataclass(frozen=True, slots=True)
class Grant:
    """Is what a user has allowed a client: `scopes` of `project`, for the `resource` (RFC 8707) that it named."""

    id: str
    project: str
    client: str
    user: str
    resource: str
    scopes: tuple[str, ...]


class Projects(Protocol):
    """Knows the projects that people sign in to."""

    def find(self, name: str) -> ProtectedProject | None: ...

    def all(self) -> list[ProtectedProject]: ...

    def login_secret(self, name: str) -> str | None:
        """Returns the secret of the app by which people sign in to a project elsewhere, None if it is not set."""
        ...


class OAuthError(Exception):
    """Is an error of OAuth: `code` as RFC 6749 and its extensions name it, `description` for whoever builds a client.

    `status` is that of the HTTP answer where there is no redirection.
    """

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status
