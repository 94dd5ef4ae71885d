"""Defines secrets as they are listed and changed; no shape has room for a value."""

from __future__ import annotations

from .shape import Shape


class ListedVersion(Shape):
    """Describes one version of a secret, set at `set_at` (seconds since 1970), with the `releases` that have it."""

    version: int
    set_at: float
    releases: list[str]


class ListedSecret(Shape):
    """Describes a secret with all its versions, the oldest first.

    `version` is the one that the next release gets, None once the secret is unset.
    """

    name: str
    version: int | None
    versions: list[ListedVersion]


class SecretsSet(Shape):
    """Reports which secrets have `changed` values now, and the `release` that serves with them, None if none was
    needed.
    """

    project: str
    changed: list[str]
    release: str | None


class SecretUnset(Shape):
    """Reports a secret that no new release gets.

    The release `in_use` serves with it until the next deploy; it is None if none does.
    """

    project: str
    name: str
    in_use: str | None
