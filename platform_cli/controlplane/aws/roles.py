"""What the platform's two functions may do: no more than they do.

The one that the world sees reads and writes the table, the queue and the secrets of links, and looks at projects. The
builder makes, changes and removes what belongs to projects, all of it called homeport-*; which is not what the platform
itself is called, so that it cannot change itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...targets.aws_lambda import permissions
from ...targets.aws_lambda.client import AWS
from ...targets.aws_lambda.names import bucket_name
from .names import BUILDER, QUEUE, SECRETS, TABLE, WEB

ITEMS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
LINK_SECRETS = ("CreateSecret", "TagResource", "GetSecretValue", "PutSecretValue", "DeleteSecret")
LOOK_AT_FUNCTIONS = (
    "GetFunctionConfiguration", "ListTags", "ListVersionsByFunction", "GetAlias", "GetFunctionUrlConfig",
    "GetFunctionConcurrency", "GetProvisionedConcurrencyConfig",
)  # fmt: skip
CHANGE_ROLES = tuple(action for action in permissions.ROLE if action != "PassRole")
MESSAGES = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")


def web_policy(aws: AWS) -> dict[str, Any]:
    place = _Place(aws)
    return _policy(
        *_own_logs(place, WEB),
        _allow("dynamodb", ITEMS, place.arn("dynamodb", f"table/{TABLE}")),
        _allow("sqs", ("SendMessage",), place.arn("sqs", QUEUE)),
        _allow("secretsmanager", LINK_SECRETS, place.arn("secretsmanager", f"secret:{SECRETS}*")),
        *_look_at_projects(place),
    )


def builder_policy(aws: AWS) -> dict[str, Any]:
    place = _Place(aws)
    layer = place.arn("lambda", "layer:homeport-*")
    return _policy(
        *_own_logs(place, BUILDER),
        _allow("dynamodb", ITEMS, place.arn("dynamodb", f"table/{TABLE}")),
        _allow("sqs", MESSAGES, place.arn("sqs", QUEUE)),
        _allow("secretsmanager", ("GetSecretValue",), place.arn("secretsmanager", f"secret:{SECRETS}*")),
        _allow("secretsmanager", permissions.SECRET, place.arn("secretsmanager", "secret:homeport/*")),
        _allow("dynamodb", permissions.TABLE, place.arn("dynamodb", "table/homeport-*")),
        _allow("lambda", permissions.FUNCTION, place.arn("lambda", "function:homeport-*")),
        _allow("lambda", permissions.LAYER, layer, f"{layer}:*"),
        _allow("lambda", permissions.ACCOUNT, "*"),
        _allow("iam", CHANGE_ROLES, place.roles),
        _allow("iam", ("PassRole",), place.roles)
        | {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}},
        _allow("logs", permissions.LOGS, place.arn("logs", "log-group:/aws/lambda/homeport-*")),
        _allow("logs", ("DescribeLogGroups",), "*"),
        _allow("s3", permissions.BUCKET, place.bucket),
        _allow("s3", permissions.OBJECT, f"{place.bucket}/*"),
    )


class _Place:
    """The account and the region, in names of resources."""

    def __init__(self, aws: AWS) -> None:
        self._aws = aws
        self.roles = f"arn:{aws.partition}:iam::{aws.account}:role/homeport-*"
        self.bucket = f"arn:{aws.partition}:s3:::{bucket_name(aws.account, aws.region)}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self._aws.partition}:{service}:{self._aws.region}:{self._aws.account}:{resource}"


def _own_logs(place: _Place, function: str) -> list[dict[str, Any]]:
    group = place.arn("logs", f"log-group:/aws/lambda/{function}")
    return [_allow("logs", ("CreateLogStream", "PutLogEvents"), f"{group}:log-stream:*")]


def _look_at_projects(place: _Place) -> list[dict[str, Any]]:
    """AWS knows no resource for what lists everything."""
    return [
        _allow("lambda", LOOK_AT_FUNCTIONS, place.arn("lambda", "function:homeport-*")),
        _allow("lambda", ("ListFunctions",), "*"),
        _allow("dynamodb", ("DescribeTable", "DescribeTimeToLive"), place.arn("dynamodb", "table/homeport-*")),
        _allow("cloudwatch", ("GetMetricStatistics",), "*"),
        _allow("logs", ("DescribeLogGroups",), "*"),
        _allow("iam", ("GetRole", "GetRolePolicy"), place.roles),
    ]


def _allow(service: str, actions: Sequence[str], *resources: str) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": list(resources),
    }


def _policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]}
