"""What a project's resources are called on AWS."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from ...errors import InputError

ALIAS = "live"
TAG = "homeport:project"
PREFIX = "homeport-"
# Of the one policy that a role has.
POLICY = "homeport"
LAYER_PREFIXES = (f"{PREFIX}packages-", f"{PREFIX}runtime-")
# Of a function's and of a role's name.
MAX_NAME = 64
MAX_PROJECT = MAX_NAME - len(PREFIX)
# Of a function and of its versions.
MAX_DESCRIPTION = 256


def check_name_fits(project: str) -> None:
    """Raises InputError."""
    if len(project) > MAX_PROJECT:
        raise InputError(
            f"the project's name has {len(project)} characters, and Lambda has room for {MAX_PROJECT}",
            hint="a shorter one: --name NAME",
        )


def function_name(project: str) -> str:
    return f"{PREFIX}{project}"


def role_name(project: str, region: str) -> str:
    """With the region, since IAM's names are the same in all of them. A project whose name leaves no room for it is
    told from others by a part of its hash.
    """
    room = MAX_NAME - len(PREFIX) - len(region) - 1
    if len(project) > room:
        mark = hashlib.sha256(project.encode()).hexdigest()[:8]
        project = f"{project[: room - len(mark) - 1]}-{mark}"
    return f"{PREFIX}{project}.{region}"


def early_role_name(project: str) -> str:
    """What homeport called the role before names had the region, in whatever region it was made."""
    return function_name(project)


def mailbox_table(project: str) -> str:
    """Where messages of HTTP+SSE wait that reached another instance than their session's."""
    return function_name(project)


def layer_name(kind: Literal["packages", "runtime"], sha256: str) -> str:
    """By its content: projects share it."""
    return f"{PREFIX}{kind}-{sha256[:32]}"


def log_group(project: str) -> str:
    return f"/aws/lambda/{function_name(project)}"


def secret_name(project: str) -> str:
    return f"homeport/{project}"


def bucket_name(account: str, region: str) -> str:
    """Where what is too large for a direct upload goes through."""
    return f"{PREFIX}{account}-{region}"


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """As those of AWS's calls take them that do not take a mapping."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
