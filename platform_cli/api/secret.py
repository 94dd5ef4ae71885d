"""Secrets as they are listed and changed. No shape has room for a value."""

from __future__ import annotations

from .shape import Shape


class ListedVersion(Shape):
    """One version of a secret, set at `set_at` (seconds since 1970), with the `releases` that have it."""

    version: int
    set_at: float
    releases: list[str]


class ListedSecret(Shape):
    """A secret with all its versions, oldest first; `version` is what the next release gets, None once it is unset."""

    name: str
    version: int | None
    versions: list[ListedVersion]


class SecretsSet(Shape):
    """What setting secrets changed: the names that have another value now, and the `release` that serves with them,
    None where none had to be made.
    """

    project: str
    changed: list[str]
    release: str | None


class SecretUnset(Shape):
    """A secret that no new release gets; the release `in_use` serves with it until the next deploy."""

    project: str
    name: str
    in_use: str | None
