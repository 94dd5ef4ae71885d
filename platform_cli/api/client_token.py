"""Defines the client tokens of a project, by which the programs that call it are known."""

from __future__ import annotations

from .shape import Shape


class ListedClientToken(Shape):
    """Describes a client token, with times in seconds since 1970.

    `id` names it; the token itself was shown once. `user` is whom the client acts for, None if nobody is named;
    `scopes` is None for every scope. It never ends if `expires_at` is None, and was not used yet if `used_at` is None.
    """

    id: str
    client: str
    user: str | None
    scopes: list[str] | None
    created_at: float
    expires_at: float | None
    used_at: float | None
