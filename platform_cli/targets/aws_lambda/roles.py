"""Manages the policies of a role in IAM: homeport's own inline policy, and those that are attached to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .client import AWS, absent
from .names import POLICY
from .places import arn

NO_ENTITY = "NoSuchEntity"


def attached(aws: AWS, role: str) -> list[str]:
    """Returns the ARNs of attached managed policies."""
    pages = aws.roles.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return [str(policy["PolicyArn"]) for page in pages for policy in page["AttachedPolicies"]]


def written_by_hand(aws: AWS, role: str) -> list[str]:
    """Returns the names of inline policies beside homeport's own."""
    pages = aws.roles.get_paginator("list_role_policies").paginate(RoleName=role)
    return [str(name) for page in pages for name in page["PolicyNames"] if name != POLICY]


def attached_by_hand(aws: AWS, role: str) -> list[str]:
    """Returns all policies of the role but homeport's own, as the person knows them."""
    return [policy.rpartition("/")[2] for policy in attached(aws, role)] + written_by_hand(aws, role)


def attach_policies(aws: AWS, role: str, policies: tuple[str, ...]) -> None:
    """Attaches these managed policies, and detaches all others."""
    before = attached(aws, role)
    for policy in sorted({*policies} - {*before}):
        aws.roles.attach_role_policy(RoleName=role, PolicyArn=policy)
    for policy in sorted({*before} - {*policies}):
        with absent(NO_ENTITY):
            aws.roles.detach_role_policy(RoleName=role, PolicyArn=policy)


def detach_policies(aws: AWS, role: str) -> None:
    """Detaches all policies but homeport's own."""
    for policy in attached(aws, role):
        with absent(NO_ENTITY):
            aws.roles.detach_role_policy(RoleName=role, PolicyArn=policy)
    for name in written_by_hand(aws, role):
        with absent(NO_ENTITY):
            aws.roles.delete_role_policy(RoleName=role, PolicyName=name)


def is_of_region(aws: AWS, role: Mapping[str, Any]) -> bool:
    """Tells whether a role, as from GetRole, belongs to this region although its name does not say so.

    Its policy and its last use decide; a role without a policy belongs to no region.
    """
    if role.get("RoleLastUsed", {}).get("Region", aws.region) != aws.region:
        return False
    with absent(NO_ENTITY):
        return of_region(aws, aws.roles.get_role_policy(RoleName=role["RoleName"], PolicyName=POLICY)["PolicyDocument"])
    return True


def of_region(aws: AWS, document: Mapping[str, Any]) -> bool:
    """Tells whether a policy of homeport's names log groups of this region."""
    ours = arn(aws, "logs", "log-group:")
    return any(ours in str(statement["Resource"]) for statement in document["Statement"])


def delete_role(aws: AWS, role: str) -> None:
    """Deletes a role with homeport's own policy; other policies have to be detached before."""
    with absent(NO_ENTITY):
        aws.roles.delete_role_policy(RoleName=role, PolicyName=POLICY)
    with absent(NO_ENTITY):
        aws.roles.delete_role(RoleName=role)
