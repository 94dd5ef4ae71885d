"""Reads and checks what a team allows the functions of its projects beyond what all may do.

These are IAM statements in the boundary of the roles, which `platform deploy --allow` reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..config.aws import ACTION
from ..config.project import LambdaSettings
from ..errors import ConfigError, InputError
from ..targets.aws_lambda.desired import asked_statements

# The prefix of each statement's id, which distinguishes them from homeport's own.
TEAM = "Team"

Statements = Sequence[Mapping[str, Any]]


def read_statements(file: Path) -> Statements:
    """Returns the statements of a policy document.

    Raises InputError if the file cannot be read, or a statement is not an Allow of actions on resources.
    """
    try:
        said: list[Mapping[str, Any]] = json.loads(file.read_bytes())["Statement"]
        return [_statement(one, number) for number, one in enumerate(said)]
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{file} is no policy with statements that allow actions on resources",
            hint='{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}; '
            "no statements take back what was allowed",
        ) from None


def of_team(document: Mapping[str, Any]) -> Statements:
    """Returns the team's statements of a boundary."""
    return [one for one in document["Statement"] if str(one.get("Sid", "")).startswith(TEAM)]


def check_within_boundary(settings: LambdaSettings, allowed: Statements) -> None:
    """Raises ConfigError for settings that have no effect beyond a boundary with the team's `allowed` statements."""
    asked = _asked(settings)
    beyond = [f"{action} on {resource}" for action, resource in asked if not _covers(allowed, action, resource)]
    beyond += [name for name in ("policies", "role", "boundary") if getattr(settings, name)]
    if beyond:
        raise ConfigError(
            f"[deployment.lambda] goes beyond what functions may do that the platform deploys: {', '.join(beyond)}",
            hint="whoever runs the platform can allow actions: homeport platform deploy --target lambda --allow "
            "policy.json; or deploy it by hand, or by a workflow",
        )


def _asked(settings: LambdaSettings) -> Iterator[tuple[str, str]]:
    for statement in asked_statements(settings):
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                yield action, resource


def _covers(allowed: Statements, action: str, resource: str) -> bool:
    """Compares names with wildcards as patterns: `s3:Get*` is within `s3:*`."""
    return any(
        any(fnmatchcase(action.lower(), one.lower()) for one in _list(statement["Action"]))
        and any(fnmatchcase(resource, one) for one in _list(statement["Resource"]))
        for statement in allowed
    )


def _statement(said: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    """Returns a statement with its id.

    Raises ValueError, KeyError or TypeError for one that denies or has a condition, since nobody would see those where
    a deploy is refused.
    """
    if {*said} - {"Sid"} != {"Effect", "Action", "Resource"} or said["Effect"] != "Allow":
        raise ValueError
    actions, resources = _list(said["Action"]), _list(said["Resource"])
    if not actions or not resources or not all(ACTION.fullmatch(action) for action in actions):
        raise ValueError
    if any(action.partition(":")[0] in ("iam", "*") for action in actions):
        raise InputError(
            "the boundary must not allow what changes roles or is everything: a function could undo it with that",
            hint="name the services: s3:*, bedrock:InvokeModel",
        )
    return {"Sid": f"{TEAM}{number}", "Effect": "Allow", "Action": actions, "Resource": resources}


def _list(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in found):
        raise TypeError
    return found
