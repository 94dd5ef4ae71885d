"""Defines what the platform tells of sign-ins: one that waits for approval, and what users have granted."""

from __future__ import annotations

from .shape import Shape


class WaitingSignIn(Shape):
    """Describes a sign-in that waits for the owner's approval.

    `client` is what the program says of itself, and `client_id` by what it is known. The answer goes to `redirects_to`.
    It gets `scopes`; where the project has none, everything.
    """

    project: str
    client: str
    client_id: str
    redirects_to: str
    scopes: list[str]


class SignInLink(Shape):
    """Holds a link that lets one browser sign in to a project, once; it ends after `expires_in` seconds."""

    url: str
    expires_in: int


class ListedGrant(Shape):
    """Describes what a `user` has granted a client, with times in seconds since 1970."""

    user: str
    client: str
    client_id: str
    scopes: list[str]
    created_at: float
    used_at: float


class SignInsEnded(Shape):
    """Tells how many sign-ins of a user have ended."""

    user: str
    ended: int
