"""The platform's end on AWS: all that is called as it is called, whatever deploy made it. Projects go on serving."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...targets.aws_lambda.client import AWS, MISSING, absent
from ...targets.aws_lambda.names import POLICY
from .boundary import remove_boundary
from .names import BUILDER, DEAD_QUEUE, PLATFORM, QUEUE, SECRETS, TABLE, WEB
from .queue_resources import NO_QUEUE


def is_there(aws: AWS) -> bool:
    """The table is made first, and goes last."""
    with absent(MISSING):
        aws.tables.describe_table(TableName=TABLE)
        return True
    return False


def remove_platform(aws: AWS) -> None:
    """Again and again without harm, so that one that was interrupted can be finished."""
    functions = aws.functions
    with absent(MISSING):
        functions.delete_function_url_config(FunctionName=WEB)
    for mapping in _mappings(aws):
        with absent(MISSING, "ResourceInUseException"):
            functions.delete_event_source_mapping(UUID=mapping["UUID"])
    for name in (WEB, BUILDER):
        with absent(MISSING):
            functions.delete_function(FunctionName=name)
        with absent("NoSuchEntity"):
            aws.roles.delete_role_policy(RoleName=name, PolicyName=POLICY)
        with absent("NoSuchEntity"):
            aws.roles.delete_role(RoleName=name)
        with absent(MISSING):
            aws.logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
    remove_boundary(aws)
    remove_layers(aws)
    for name in (QUEUE, DEAD_QUEUE):
        with absent(*NO_QUEUE):
            aws.queues.delete_queue(QueueUrl=aws.queues.get_queue_url(QueueName=name)["QueueUrl"])
    for name in _secrets(aws):
        aws.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with absent(MISSING):
        aws.tables.delete_table(TableName=TABLE)


def remove_layers(aws: AWS, *, but: Collection[str] = ()) -> None:
    """Those that are not named."""
    for page in aws.functions.get_paginator("list_layers").paginate():
        for name in [layer["LayerName"] for layer in page["Layers"]]:
            if name.startswith(f"{PLATFORM}_") and name not in but:
                for version in aws.functions.list_layer_versions(LayerName=name)["LayerVersions"]:
                    aws.functions.delete_layer_version(LayerName=name, VersionNumber=version["Version"])


def _mappings(aws: AWS) -> list[dict[str, Any]]:
    with absent(MISSING):
        found: list[dict[str, Any]] = aws.functions.list_event_source_mappings(FunctionName=BUILDER)[
            "EventSourceMappings"
        ]
        return found
    return []


def _secrets(aws: AWS) -> list[str]:
    pages = aws.secrets.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [SECRETS]}])
    names = [str(secret["Name"]) for page in pages for secret in page["SecretList"]]
    return [name for name in names if name.startswith(SECRETS)]
