"""Describes where a release came from."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api.deployment import DeploymentEntry
    from .api.release import Release, ReleaseOrigin


@dataclass(frozen=True, slots=True)
class Origin:
    """Holds where a release came from: the laptop of `author` (user@host), or the commit `sha` of a linked repository.

    `seconds` is how long the deploy took, None when that is unknown. `path` is the author's PATH.
    """

    author: str | None = None
    sha: str | None = None
    message: str | None = None
    seconds: float | None = None
    path: str | None = None

    def data(self) -> ReleaseOrigin:
        return {
            "author": self.author,
            "sha": self.sha,
            "message": self.message,
            "seconds": self.seconds,
            "path": self.path,
        }


UNKNOWN = Origin()


def this_user() -> str:
    """Returns `user@host` of the user who runs this process, or the user's number where it has no name, as in a
    container.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def describe_release(version: Release) -> DeploymentEntry:
    """Returns the row that lists of deployments show for a release of a `laptop` or a commit."""
    origin = version["origin"]
    return {
        "release": version["release"],
        "source": origin["sha"] or "laptop",
        "who": origin["author"],
        "at": version["created_at"],
        "result": "failed" if version["error"] else "live",
        "seconds": origin["seconds"],
        "message": version["reason"],
        "error": version["error"],
    }
