"""The boundary of all roles that the builder makes: whatever policy such a role gets, its function may do no more than
projects' functions ever have to. Without it, who takes the builder over could make a role that may do anything.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...targets.aws_lambda.client import AWS, absent
from ...targets.aws_lambda.names import secret_name, tag_list
from ...targets.aws_lambda.places import Place, arn, iam_arn
from ...targets.aws_lambda.wanted import policy
from .names import BOUNDARY, TAGS
from .resources import State

NO_POLICY = "NoSuchEntity"


def boundary_arn(place: Place) -> str:
    return iam_arn(place, f"policy/{BOUNDARY}")


def boundary_policy(place: Place) -> dict[str, Any]:
    """What the functions of all projects may do together."""
    return policy(place, "*", [arn(place, "secretsmanager", f"secret:{secret_name('*')}")])


@dataclass(frozen=True, slots=True)
class BoundaryResource:
    aws: AWS

    @property
    def shown(self) -> str:
        return f"policy {BOUNDARY}"

    def state(self) -> State:
        with absent(NO_POLICY):
            return "there" if self._document() == boundary_policy(self.aws) else "different"
        return "missing"

    def _document(self) -> Any:
        roles, name = self.aws.roles, boundary_arn(self.aws)
        version = roles.get_policy(PolicyArn=name)["Policy"]["DefaultVersionId"]
        return roles.get_policy_version(PolicyArn=name, VersionId=version)["PolicyVersion"]["Document"]

    def make(self) -> None:
        document = json.dumps(boundary_policy(self.aws))
        with absent("EntityAlreadyExists"):
            self.aws.roles.create_policy(PolicyName=BOUNDARY, PolicyDocument=document, Tags=tag_list(TAGS))
            return
        _delete_old_versions(self.aws)
        self.aws.roles.create_policy_version(
            PolicyArn=boundary_arn(self.aws), PolicyDocument=document, SetAsDefault=True
        )


def remove_boundary(aws: AWS) -> None:
    """The roles of projects, which go on, are without one again: IAM keeps a policy that is in use."""
    name = boundary_arn(aws)
    with absent(NO_POLICY):
        pages = aws.roles.get_paginator("list_entities_for_policy").paginate(
            PolicyArn=name, PolicyUsageFilter="PermissionsBoundary"
        )
        for role in [str(role["RoleName"]) for page in pages for role in page["PolicyRoles"]]:
            aws.roles.delete_role_permissions_boundary(RoleName=role)
        _delete_old_versions(aws)
        aws.roles.delete_policy(PolicyArn=name)


def _delete_old_versions(aws: AWS) -> None:
    """A policy has room for five, and goes when it has one."""
    for version in aws.roles.list_policy_versions(PolicyArn=boundary_arn(aws))["Versions"]:
        if not version["IsDefaultVersion"]:
            aws.roles.delete_policy_version(PolicyArn=boundary_arn(aws), VersionId=version["VersionId"])
