"""Names a project's resources on AWS."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from ...errors import InputError

ALIAS = "live"
TAG = "homeport:project"
PREFIX = "homeport-"
# The name of the one policy that a role has.
POLICY = "homeport"
LAYER_PREFIXES = (f"{PREFIX}packages-", f"{PREFIX}runtime-")
# The longest name of a function and of a role.
MAX_NAME = 64
MAX_PROJECT = MAX_NAME - len(PREFIX)
# The longest description of a function and of its versions.
MAX_DESCRIPTION = 256


def check_name_fits(project: str) -> None:
    """Raises InputError for a project's name that is too long for a function."""
    if len(project) > MAX_PROJECT:
        raise InputError(
            f"the project's name has {len(project)} characters, and Lambda has room for {MAX_PROJECT}",
            hint="a shorter one: --name NAME",
        )


def function_name(project: str) -> str:
    return f"{PREFIX}{project}"


def role_name(project: str, region: str) -> str:
    """Returns a role's name with its region, since IAM's names are the same in all of them.

    A project whose name leaves no room for that is shortened, and gets a part of its hash.
    """
    room = MAX_NAME - len(PREFIX) - len(region) - 1
    if len(project) > room:
        mark = hashlib.sha256(project.encode()).hexdigest()[:8]
        project = f"{project[: room - len(mark) - 1]}-{mark}"
    return f"{PREFIX}{project}.{region}"


def early_role_name(project: str) -> str:
    """Returns the role's name before names had the region, whatever region it was created in."""
    return function_name(project)


def mailbox_table(project: str) -> str:
    """Returns the table for messages of HTTP+SSE that have reached another instance than their session's."""
    return function_name(project)


def layer_name(kind: Literal["packages", "runtime"], sha256: str) -> str:
    """Returns the name of a layer by its content, since projects share it."""
    return f"{PREFIX}{kind}-{sha256[:32]}"


def log_group(project: str) -> str:
    return f"/aws/lambda/{function_name(project)}"


def secret_name(project: str) -> str:
    return f"homeport/{project}"


def bucket_name(account: str, region: str) -> str:
    """Returns the bucket for what is too large for a direct upload."""
    return f"{PREFIX}{account}-{region}"


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Returns tags for those AWS calls that do not take a mapping."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
