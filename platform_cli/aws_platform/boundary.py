"""Keeps the permissions boundary of all roles that the builder makes.

Whatever policy such a role gets, its function may do no more than projects' functions ever need to; otherwise whoever
takes over the builder could make a role that may do anything.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..targets.aws_lambda.client import AWS, absent
from ..targets.aws_lambda.desired import function_policy
from ..targets.aws_lambda.names import secret_name, tag_list
from ..targets.aws_lambda.ownership import foreign_policy, refuse_foreign
from ..targets.aws_lambda.places import Place, arn, iam_arn
from ..targets.aws_lambda.roles import of_region
from .names import BOUNDARY, TAGS, in_region
from .resources import ResourceState
from .team_statements import Statements, of_team

NO_POLICY = "NoSuchEntity"


def boundary_arn(place: Place) -> str:
    return iam_arn(place, f"policy/{in_region(BOUNDARY, place.region)}")


def boundary_policy(place: Place, allowed: Statements = ()) -> dict[str, Any]:
    """Returns what the functions of all projects may do, with the statements that the team has allowed."""
    document = function_policy(place, "*", [arn(place, "secretsmanager", f"secret:{secret_name('*')}")])
    return {**document, "Statement": [*document["Statement"], *allowed]}


def allowed_by_team(aws: AWS) -> Statements:
    """Returns the team's statements in the present boundary, none before it exists."""
    with absent(NO_POLICY):
        return of_team(_document(aws, boundary_arn(aws)))
    return ()


@dataclass(frozen=True, slots=True)
class BoundaryResource:
    """Is the boundary's policy; `allowed` are the team's new statements, None to keep the present ones."""

    aws: AWS
    allowed: Statements | None = None

    @property
    def shown(self) -> str:
        return f"policy {in_region(BOUNDARY, self.aws.region)}"

    def state(self) -> ResourceState:
        with absent(NO_POLICY):
            return "there" if _document(self.aws, boundary_arn(self.aws)) == self._desired() else "different"
        return "missing"

    def make(self) -> None:
        """Creates or updates the policy.

        Raises InputError if there is a policy of that name that is not homeport's.
        """
        roles, name = self.aws.roles, boundary_arn(self.aws)
        document = json.dumps(self._desired(), separators=(",", ":"))
        with absent("EntityAlreadyExists"):
            roles.create_policy(
                PolicyName=in_region(BOUNDARY, self.aws.region), PolicyDocument=document, Tags=tag_list(TAGS)
            )
            return
        refuse_foreign(foreign_policy(roles.get_policy(PolicyArn=name)["Policy"], TAGS))
        _delete_old_versions(self.aws, name)
        roles.create_policy_version(PolicyArn=name, PolicyDocument=document, SetAsDefault=True)

    def _desired(self) -> dict[str, Any]:
        return boundary_policy(self.aws, allowed_by_team(self.aws) if self.allowed is None else self.allowed)


def remove_boundary(aws: AWS) -> None:
    """Removes the boundary, first from the roles of projects, since IAM keeps a policy that is in use."""
    _remove_policy(aws, boundary_arn(aws))


def remove_early_boundary(aws: AWS) -> None:
    """Removes the boundary of a version whose names had no region, if it is of this region."""
    name = iam_arn(aws, f"policy/{BOUNDARY}")
    with absent(NO_POLICY):
        if of_region(aws, _document(aws, name)):
            _remove_policy(aws, name)


def _remove_policy(aws: AWS, name: str) -> None:
    with absent(NO_POLICY):
        if foreign_policy(aws.roles.get_policy(PolicyArn=name)["Policy"], TAGS):
            return
        pages = aws.roles.get_paginator("list_entities_for_policy").paginate(
            PolicyArn=name, PolicyUsageFilter="PermissionsBoundary"
        )
        for role in [str(role["RoleName"]) for page in pages for role in page["PolicyRoles"]]:
            aws.roles.delete_role_permissions_boundary(RoleName=role)
        _delete_old_versions(aws, name)
        aws.roles.delete_policy(PolicyArn=name)


def _document(aws: AWS, name: str) -> Any:
    version = aws.roles.get_policy(PolicyArn=name)["Policy"]["DefaultVersionId"]
    return aws.roles.get_policy_version(PolicyArn=name, VersionId=version)["PolicyVersion"]["Document"]


def _delete_old_versions(aws: AWS, name: str) -> None:
    """Deletes all but the default version: a policy can have five, and can be deleted only with one."""
    for version in aws.roles.list_policy_versions(PolicyArn=name)["Versions"]:
        if not version["IsDefaultVersion"]:
            aws.roles.delete_policy_version(PolicyArn=name, VersionId=version["VersionId"])
