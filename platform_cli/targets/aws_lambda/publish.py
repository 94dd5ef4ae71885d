"""Publishes a version of the function, checks that it answers, and only then points `live` to it."""

from __future__ import annotations

from botocore.exceptions import WaiterError

from ...errors import HomeportError, ReleaseError
from .client import AWS, MISSING, absent
from .creation import wait, when_known
from .handshake import shake_hands
from .layers import delete_unused_layers
from .live import Live, read_live
from .names import ALIAS, MAX_DESCRIPTION, function_name
from .origins import forget_origins
from .secrets_manager import ProjectSecrets
from .versions import Version

KEPT_RELEASES = 10
DENIED = "AccessDenied"


def publish(aws: AWS, project: str, live: Live, release: int, said: str, token: str | None, *, speaks_mcp: bool) -> str:
    """Publishes $LATEST as a version, and returns its number once it has answered.

    `said` follows the release in its description. Before that, versions that killed commands or failed deploys have
    left are deleted. Raises ReleaseError if the version does not answer, after deleting it.
    """
    name = function_name(project)
    _delete(aws, project, live.leftover)
    description = f"v{release} {said}"[:MAX_DESCRIPTION]
    number = str(aws.functions.publish_version(FunctionName=name, Description=description)["Version"])
    try:
        wait(aws, name, "published_version_active", Qualifier=number)
        when_known(
            lambda: shake_hands(aws, name, number, token, speaks_mcp=speaks_mcp),
            lambda error: isinstance(error, ReleaseError) and DENIED in error.message,
        )
    except (HomeportError, WaiterError):
        aws.functions.delete_function(FunctionName=name, Qualifier=number)
        raise
    return number


def switch(aws: AWS, project: str, number: str, *, newest: int, first: bool = False) -> None:
    """Points `live` to a version; `newest` is the newest release that ever was live, `first` means that none was."""
    alias = {
        "FunctionName": function_name(project),
        "Name": ALIAS,
        "FunctionVersion": number,
        "Description": f"newest v{newest}",
    }
    if first:
        # A request whose answer was lost is repeated by boto3, and then the alias exists.
        with absent("ResourceConflictException"):
            aws.functions.create_alias(**alias)
            return
    aws.functions.update_alias(**alias)


def prune(aws: AWS, project: str) -> None:
    """Deletes releases beyond the newest KEPT_RELEASES, and unpins the secrets that only those had."""
    live = read_live(aws, project)
    old = [version for version in live.releases[:-KEPT_RELEASES] if version != live.active]
    _delete(aws, project, (*live.leftover, *old))
    delete_unused_layers(aws, (arn for version in (*live.leftover, *old) for arn in version.layers))
    kept = {version.release for version in live.releases if version not in old}
    forget_origins(aws, project, but=kept)
    if any(version.pin for version in live.versions):
        ProjectSecrets(aws, project).unpin_all_but(kept)


def is_full(live: Live) -> bool:
    """Tells whether one more release would be too many."""
    return len(live.releases) >= KEPT_RELEASES


def _delete(aws: AWS, project: str, versions: tuple[Version, ...]) -> None:
    for version in versions:
        with absent(MISSING):
            aws.functions.delete_function(FunctionName=function_name(project), Qualifier=version.number)
