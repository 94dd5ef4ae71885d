"""Defines the policies of the platform's two functions, which allow no more than what they do.

The web function reads and writes the table, the queue and the secrets of links, and reads projects. The builder
creates, changes and removes the resources of projects, which are all named homeport-*; the platform's own have other
names, so that the builder cannot change the platform.
"""

from __future__ import annotations

from typing import Any

from ..targets.aws_lambda.places import Place, arn, iam_arn
from ..targets.aws_lambda.policies import allow, policy_document, project_statements
from .boundary import boundary_arn
from .names import BUILDER, DEAD_QUEUE, QUEUE, SECRETS, TABLE, WEB

ITEMS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
LINK_SECRETS = ("CreateSecret", "TagResource", "GetSecretValue", "PutSecretValue", "DeleteSecret")
LOOK_AT_FUNCTIONS = (
    "GetFunctionConfiguration", "ListTags", "ListVersionsByFunction", "GetAlias", "GetFunctionUrlConfig",
    "GetFunctionConcurrency", "GetProvisionedConcurrencyConfig",
)  # fmt: skip
LOOK_AT_TABLES = ("DescribeTable", "DescribeTimeToLive", "ListTagsOfResource")
MESSAGES = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")


def web_policy(place: Place) -> dict[str, Any]:
    return policy_document(
        _own_logs(place, WEB),
        allow("dynamodb", ITEMS, arn(place, "dynamodb", f"table/{TABLE}")),
        allow("sqs", ("SendMessage",), arn(place, "sqs", QUEUE)),
        allow("secretsmanager", LINK_SECRETS, arn(place, "secretsmanager", f"secret:{SECRETS}*")),
        *_look_at_projects(place),
    )


def builder_policy(place: Place) -> dict[str, Any]:
    return policy_document(
        _own_logs(place, BUILDER),
        allow("dynamodb", ITEMS, arn(place, "dynamodb", f"table/{TABLE}")),
        allow("sqs", MESSAGES, arn(place, "sqs", QUEUE), arn(place, "sqs", DEAD_QUEUE)),
        allow("sqs", ("SendMessage",), arn(place, "sqs", QUEUE)),
        allow("secretsmanager", ("GetSecretValue",), arn(place, "secretsmanager", f"secret:{SECRETS}*")),
        allow("iam", ("GetPolicy", "GetPolicyVersion"), boundary_arn(place)),
        *project_statements(place, boundary_arn(place)),
    )


def _own_logs(place: Place, function: str) -> dict[str, Any]:
    group = arn(place, "logs", f"log-group:/aws/lambda/{function}")
    return allow("logs", ("CreateLogStream", "PutLogEvents"), f"{group}:log-stream:*")


def _look_at_projects(place: Place) -> list[dict[str, Any]]:
    """Returns the statements for reading projects; the actions that list everything allow no resource but `*`."""
    return [
        allow("lambda", LOOK_AT_FUNCTIONS, arn(place, "lambda", "function:homeport-*")),
        allow("lambda", ("ListFunctions",), "*"),
        allow("dynamodb", LOOK_AT_TABLES, arn(place, "dynamodb", "table/homeport-*")),
        allow("cloudwatch", ("GetMetricStatistics",), "*"),
        allow("logs", ("DescribeLogGroups",), "*"),
        allow("iam", ("GetRole", "GetRolePolicy"), iam_arn(place, "role/homeport-*")),
    ]
