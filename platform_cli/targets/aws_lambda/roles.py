"""What IAM has of a role: the policy that homeport writes into it, and those that are attached to it."""

from __future__ import annotations

from .client import AWS, absent
from .names import POLICY

NO_ENTITY = "NoSuchEntity"


def attached(aws: AWS, role: str) -> list[str]:
    """The ARNs of managed policies."""
    pages = aws.roles.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return [str(policy["PolicyArn"]) for page in pages for policy in page["AttachedPolicies"]]


def written_by_hand(aws: AWS, role: str) -> list[str]:
    """The names of inline policies beside homeport's own."""
    pages = aws.roles.get_paginator("list_role_policies").paginate(RoleName=role)
    return [str(name) for page in pages for name in page["PolicyNames"] if name != POLICY]


def attached_by_hand(aws: AWS, role: str) -> list[str]:
    """For the person: all policies of the role but homeport's own."""
    return [policy.rpartition("/")[2] for policy in attached(aws, role)] + written_by_hand(aws, role)


def detach_policies(aws: AWS, role: str) -> None:
    """All but homeport's own."""
    for policy in attached(aws, role):
        with absent(NO_ENTITY):
            aws.roles.detach_role_policy(RoleName=role, PolicyArn=policy)
    for name in written_by_hand(aws, role):
        with absent(NO_ENTITY):
            aws.roles.delete_role_policy(RoleName=role, PolicyName=name)


def delete_role(aws: AWS, role: str) -> None:
    """With homeport's own policy; others have to be detached before."""
    with absent(NO_ENTITY):
        aws.roles.delete_role_policy(RoleName=role, PolicyName=POLICY)
    with absent(NO_ENTITY):
        aws.roles.delete_role(RoleName=role)
