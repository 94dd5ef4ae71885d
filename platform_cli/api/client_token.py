"""Defines the client tokens of a project, by which the programs that call it are known."""

from __future__ import annotations

from .shape import Shape


class WantedClientToken(Shape):
    """Describes a client token to make.

    `client` names the program that gets it, `user` whom that acts for, None to name nobody. `scopes` is None for every
    scope. It ends `expires_s` seconds from now, never with None.
    """

    client: str
    user: str | None
    scopes: list[str] | None
    expires_s: float | None


class ListedClientToken(Shape):
    """Describes a client token, with times in seconds since 1970.

    `id` names it; the token itself was shown once. `client`, `user` and `scopes` are as they were asked for. It never
    ends if `expires_at` is None, and was not used yet if `used_at` is None, or where uses are not known.
    """

    id: str
    client: str
    user: str | None
    scopes: list[str] | None
    created_at: float
    expires_at: float | None
    used_at: float | None


class NewClientToken(ListedClientToken):
    """Describes a client token that was just made, with the `token`, which is shown only once."""

    token: str
