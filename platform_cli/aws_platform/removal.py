"""Removes the platform from AWS, by the names of its resources, whatever deploy made them; projects serve on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..targets.aws_lambda.client import AWS, MISSING, absent
from ..targets.aws_lambda.creation import WAITER
from ..targets.aws_lambda.ownership import foreign_role, foreign_table, refuse_foreign
from ..targets.aws_lambda.roles import NO_ENTITY, delete_role, detach_policies, is_of_region
from ..targets.base import Removal
from .boundary import remove_boundary, remove_early_boundary
from .names import BUILDER, DEAD_QUEUE, PLATFORM, QUEUE, SECRETS, TABLE, TAGS, WEB, in_region
from .queue_resources import NO_QUEUE


def is_there(aws: AWS) -> bool:
    """Tells whether the platform exists, by its table, which is created first and removed last.

    Raises InputError if the table is not homeport's.
    """
    with absent(MISSING):
        refuse_foreign(foreign_table(aws, aws.tables.describe_table(TableName=TABLE)["Table"], TAGS))
        return True
    return False


def plan_platform_removal(aws: AWS) -> Removal:
    """Returns what is removed with the platform, by kind."""
    names = f"functions {WEB} and {BUILDER}, their roles and logs", f"table {TABLE} with links and deployments"
    return Removal((*names, f"queues {QUEUE} and {DEAD_QUEUE}", "the boundary of projects' roles", "links' secrets"))


def remove_platform(aws: AWS) -> None:
    """Removes the platform; it is idempotent, so that an interrupted removal can be finished."""
    functions = aws.functions
    with absent(MISSING):
        functions.delete_function_url_config(FunctionName=WEB)
    for mapping in _mappings(aws):
        with absent(MISSING, "ResourceInUseException"):
            functions.delete_event_source_mapping(UUID=mapping["UUID"])
    for name in (WEB, BUILDER):
        with absent(MISSING):
            functions.delete_function(FunctionName=name)
        _remove_role(aws, in_region(name, aws.region))
        with absent(MISSING):
            aws.logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
    remove_early_roles(aws)
    remove_boundary(aws)
    remove_early_boundary(aws)
    remove_layers(aws)
    for name in (QUEUE, DEAD_QUEUE):
        with absent(*NO_QUEUE):
            aws.queues.delete_queue(QueueUrl=aws.queues.get_queue_url(QueueName=name)["QueueUrl"])
    for name in _secrets(aws):
        aws.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    with absent(MISSING, "ResourceInUseException"):
        aws.tables.delete_table(TableName=TABLE)
    # Waits until the name is free for the next platform.
    with absent(MISSING):
        aws.tables.get_waiter("table_not_exists").wait(TableName=TABLE, WaiterConfig=WAITER)


def remove_early_roles(aws: AWS) -> None:
    """Removes roles of this region from before names had the region, which no function uses any more."""
    for name in (WEB, BUILDER):
        with absent(NO_ENTITY):
            if is_of_region(aws, aws.roles.get_role(RoleName=name)["Role"]):
                _remove_role(aws, name)


def _remove_role(aws: AWS, name: str) -> None:
    with absent(NO_ENTITY):
        if foreign_role(aws.roles.get_role(RoleName=name)["Role"], TAGS) is None:
            detach_policies(aws, name)
            delete_role(aws, name)


def remove_layers(aws: AWS, *, but: Collection[str] = ()) -> None:
    """Removes the platform's layers except those in `but`."""
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
