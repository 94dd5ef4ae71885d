"""Defines what every store of secrets can do, and the rules for names and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from homeport_runtime.loading.environment import RESERVED

from ..config.environment import NAME
from ..errors import InputError

MAX_VALUE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """Describes one version of a secret, without its value.

    `set_at` is in seconds since 1970. `unset` means that the secret has no value from this version on.
    """

    name: str
    version: int
    set_at: float
    unset: bool


class SecretStore(Protocol):
    """Stores secrets that can only be read back by `values`, which is for starting a worker.

    Names belong to a project, whether or not it has been deployed. Versions count 1, 2, ... and are kept, since older
    releases are pinned to them.
    """

    def set(self, project: str, values: Mapping[str, str]) -> list[str]:
        """Stores a new version of each value that differs from the current one, all or none, and
        returns their names.
        """

    def unset(self, project: str, name: str) -> bool:
        """Stores that the secret has no value from now on, and returns whether it had one."""

    def versions(self, project: str) -> list[SecretVersion]:
        """Returns all versions, sorted by name and then by age, the oldest first."""

    def current(self, project: str) -> dict[str, int]:
        """Returns the newest version of each secret that is set."""

    def values(self, project: str, versions: Mapping[str, int]) -> dict[str, str]:
        """Returns the values of these versions.

        Raises PlatformError when they cannot be read.
        """

    def forget(self, project: str) -> None:
        """Deletes all versions of all secrets of the project."""


def check_secret(name: str, value: str) -> None:
    """Raises InputError for a bad name or value, with a message that never contains the value."""
    check_secret_name(name)
    if not value:
        raise InputError(
            f"the value of {name} is empty", hint=f"`homeport unset-secret {name}` is for a secret that is not needed"
        )
    if "\0" in value:
        raise InputError(f"the value of {name} holds a NUL character, which no environment can carry")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        hint = "encode it, for example with base64, and decode it in the server"
        raise InputError(f"the value of {name} is not UTF-8 text", hint=hint) from None
    if size > MAX_VALUE_BYTES:
        raise InputError(f"the value of {name} has more than the {MAX_VALUE_BYTES} bytes that a secret may have")


def check_secret_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(f"{name!r} is not a secret's name", hint="letters, digits and _, and no digit first: API_KEY")
    if name.startswith(RESERVED):
        raise InputError(
            f"names that start with {RESERVED} belong to homeport", hint=f"not {name}, for example API_KEY"
        )
