"""Compares the homeport of a platform with that of this command, and says what to do where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import __version__
from ..api.version import API_VERSION
from ..errors import PlatformError

if TYPE_CHECKING:
    from ..api.platform import PlatformState


def is_newer(version: str) -> bool:
    """Tells whether `version` is newer than this command's."""
    # Imported late, since mostly both are the same.
    from packaging.version import Version

    return Version(version) > Version(__version__)


def check_can_replace(version: str) -> None:
    """Raises PlatformError for a platform on this machine that is newer than this command.

    Two versions must not replace each other in turns.
    """
    if is_newer(version):
        raise PlatformError(
            f"the platform that runs is homeport {version}, this command is {__version__}",
            hint=f"use homeport {version} (pip install --upgrade homeport), or end the platform with `homeport "
            "platform stop`",
        )


def check_api(platform: PlatformState, url: str | None) -> None:
    """Raises PlatformError if this command does not speak the API of the `platform`.

    `url` is None for the one on this machine.
    """
    # Platforms without the number have the first version of the API.
    if platform.get("api", 1) == API_VERSION:
        return
    where = f" at {url}" if url else ""
    raise PlatformError(
        f"the platform{where} is homeport {platform['version']}, whose API this command ({__version__}) does not speak",
        hint=same_version(platform["version"]) if url else "`homeport platform start` starts it anew as this version",
    )


def same_version(version: str) -> str:
    """Returns how to bring this command and a platform elsewhere, of homeport `version`, to the same version."""
    if is_newer(version):
        return f"`pip install homeport=={version}` makes this command the same"
    return (
        f"install homeport {__version__} there, then `homeport platform restart`; on AWS `homeport platform deploy"
        " --target lambda` from here"
    )
