"""Names what homeport makes on a cluster, by labels, by annotations, and by the objects' names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...config.names import slugify
from ...errors import InputError

# The label of every object that a deploy has made. What has it not is never adopted and never deleted.
PROJECT = "homeport/project"
# The label of a Secret with values, which is its version.
SECRETS_VERSION = "homeport/secrets"

# Annotations of a pod template, and so of the ReplicaSet that is made of it.
RELEASE = "homeport/release"
BUNDLE = "homeport/bundle"
# The hash of everything that was asked for: with the same there is nothing to deploy.
DESIRED = "homeport/desired"
MADE_AT = "homeport/made-at"
REASON = "homeport/reason"
ORIGIN = "homeport/origin"
RESTARTED_AT = "homeport/restarted-at"
# The authorization server at which callers sign in.
ISSUER = "homeport/issuer"
# Of a Deployment: where it was deployed from, and the project's own host name.
FOLDER = "homeport/folder"
HOST = "homeport/host"
# Of a ReplicaSet: why its release never served.
ERROR = "homeport/error"
# Of a Secret with values: the version and the time of each.
HISTORY = "homeport/history"

# A Service's name (RFC 1035, section 2.3.1).
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def check_name_fits(project: str) -> str:
    """Returns the project's name.

    Raises InputError if no Service can have it, which begins with a letter.
    """
    if _SERVICE.fullmatch(project):
        return project
    proposal = slugify(f"mcp-{project}")
    raise InputError(
        f"{project!r} is no name for a Service of Kubernetes: a to z, 0 to 9 and -, at most 63, a letter first",
        hint=f"--name {proposal}",
    )


def is_ours(there: Mapping[str, Any], project: str) -> bool:
    return bool((there["metadata"].get("labels") or {}).get(PROJECT) == project)


def annotations_of(there: Mapping[str, Any]) -> Mapping[str, str]:
    """Returns the annotations of an object, or of a pod template."""
    found: Mapping[str, str] = there["metadata"].get("annotations") or {}
    return found


def in_kubectl(context: str, namespace: str) -> str:
    """Returns the beginning of a command of kubectl's that a hint names."""
    return f"kubectl --context {context} --namespace {namespace}"
