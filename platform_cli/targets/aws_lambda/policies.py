"""Defines the IAM policies of those who deploy projects: the platform's builder, or a workflow of GitHub's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import permissions
from .challenges import CHALLENGE
from .names import TAG
from .places import Place, arn, bucket_arn, global_arn, iam_arn

# The actions that give a role permissions.
GIVE = ("CreateRole", "PutRolePolicy", "AttachRolePolicy")
# GitHub's issuer of tokens for workflows:
# https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"


def project_statements(place: Place, boundary: str | None = None) -> list[dict[str, Any]]:
    """Returns all that deploying, operating and removing projects needs, whose resources are all named homeport-*.

    With `boundary`, the ARN of a policy, they allow only roles that have it as theirs.
    """
    layer, roles = arn(place, "lambda", "layer:homeport-*"), iam_arn(place, "role/homeport-*")
    bucket = bucket_arn(place)
    give = allow("iam", GIVE, roles)
    if boundary:
        give = allow("iam", (*GIVE, "PutRolePermissionsBoundary"), roles) | _only_if(
            "iam:PermissionsBoundary", boundary
        )
    other = tuple(action for action in permissions.ROLE if action not in (*GIVE, "PassRole"))
    return [
        allow("secretsmanager", permissions.SECRET, arn(place, "secretsmanager", "secret:homeport/*")),
        allow("dynamodb", permissions.TABLE, arn(place, "dynamodb", "table/homeport-*")),
        allow("lambda", permissions.FUNCTION, arn(place, "lambda", "function:homeport-*")),
        allow("lambda", permissions.LAYER, layer, f"{layer}:*"),
        allow("lambda", permissions.ACCOUNT, "*"),
        give,
        allow("iam", other, roles),
        allow("iam", ("PassRole",), roles) | _only_if("iam:PassedToService", "lambda.amazonaws.com"),
        allow("logs", permissions.LOGS, arn(place, "logs", "log-group:/aws/lambda/homeport-*")),
        allow("logs", ("DescribeLogGroups",), "*"),
        allow("cloudwatch", ("GetMetricStatistics",), "*"),
        allow("s3", permissions.BUCKET, bucket),
        allow("s3", permissions.OBJECT, f"{bucket}/*"),
        *_front_statements(place),
    ]


def _front_statements(place: Place) -> list[dict[str, Any]]:
    """Returns the statements for a project's own host names, whose resources homeport recognizes by a tag."""
    made = global_arn(place, "cloudfront", "distribution/*"), f"arn:{place.partition}:acm:us-east-1:{place.account}:*"
    actions = [f"cloudfront:{name}" for name in permissions.DISTRIBUTION]
    actions += [f"acm:{name}" for name in permissions.CERTIFICATE]
    new = [action for action in actions if action.partition(":")[2] in permissions.NEW]
    return [
        {"Effect": "Allow", "Action": new, "Resource": list(made), "Condition": _tagged("Request")},
        {"Effect": "Allow", "Action": actions, "Resource": list(made), "Condition": _tagged("Resource")},
        allow("cloudfront", permissions.CHALLENGES, global_arn(place, "cloudfront", f"function/{CHALLENGE}*")),
        allow("cloudfront", permissions.FRONTS, "*"),
    ]


def _tagged(what: str) -> dict[str, dict[str, str]]:
    return {"Null": {f"aws:{what}Tag/{TAG}": "false"}}


def workflow_statements(place: Place, boundary: str, role: str) -> list[dict[str, Any]]:
    """Returns the statements of a workflow's `role`, an ARN.

    It can make no role beyond `boundary`, and can change neither that nor itself.
    """
    deny = {"Effect": "Deny", "Action": ["iam:*"], "Resource": [role, boundary]}
    return [*project_statements(place, boundary), deny]


@dataclass(frozen=True, slots=True)
class GitHubRepository:
    """Is a repository of GitHub's: `name` is its present `owner/name`; the ids stay when it is
    renamed or transferred.
    """

    name: str
    owner_id: int
    id: int

    @property
    def subjects(self) -> list[str]:
        """Returns its names in GitHub's tokens: one without the ids, and one with them.

        The ids are there if it was made, renamed or transferred since 15 July 2026
        (https://docs.github.com/actions/reference/security/oidc).
        """
        owner, _, name = self.name.partition("/")
        return [f"repo:{self.name}", f"repo:{owner}@{self.owner_id}/{name}@{self.id}"]


def trust_workflow(place: Place, repository: GitHubRepository, branch: str) -> dict[str, Any]:
    """Returns the trust policy for workflows that run for `branch` of `repository`, and for no others."""
    provider = iam_arn(place, f"oidc-provider/{ISSUER}")
    subjects = [f"{subject}:ref:refs/heads/{branch}" for subject in repository.subjects]
    return policy_document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": subjects}},
        }
    )


def allow(service: str, actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": list(resources),
    }


def _only_if(key: str, value: str) -> dict[str, Any]:
    return {"Condition": {"StringEquals": {key: value}}}


def policy_document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]}
