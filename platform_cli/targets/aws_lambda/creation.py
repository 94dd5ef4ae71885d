"""Makes each kind of resource on AWS, for projects and for the platform alike.

Each function is idempotent: what exists is brought to the desired state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from ...pipeline.archive import Archive
from .client import AWS, MISSING, absent, code_of
from .desired import MAILBOX, MAILBOX_TTL, PERMISSIONS, TRUST
from .names import POLICY, tag_list
from .ownership import foreign_function, foreign_role, foreign_table, refuse_foreign
from .upload import discard, uploaded

# The seconds within which a new role and its permissions, or a queue's end, are known everywhere.
SPREADS_S = 70
WAITER = {"Delay": 1, "MaxAttempts": 300}


def make_role(
    aws: AWS, name: str, policy: Mapping[str, Any], tags: Mapping[str, str], boundary: str | None = None
) -> None:
    """Makes a role of functions, which allows what `policy` does, within the policy `boundary`.

    Raises InputError if there is a role of that name that is not homeport's.
    """
    bounded = {"PermissionsBoundary": boundary} if boundary else {}
    trust = json.dumps(TRUST)
    with absent("EntityAlreadyExists"):
        aws.roles.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tag_list(tags), **bounded)
    refuse_foreign(foreign_role(aws.roles.get_role(RoleName=name)["Role"], tags))
    if boundary:
        aws.roles.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    aws.roles.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=json.dumps(policy))


def make_log_group(aws: AWS, name: str, days: int, tags: Mapping[str, str]) -> None:
    with absent("ResourceAlreadyExistsException"):
        aws.logs.create_log_group(logGroupName=name, tags=tags)
    aws.logs.put_retention_policy(logGroupName=name, retentionInDays=days)


def make_table(aws: AWS, name: str, tags: Mapping[str, str]) -> None:
    """Makes a table with the keys `pk` and `sk`, whose items expire at their `expires`.

    Raises InputError if there is a table of that name that is not homeport's.
    """
    with absent(MISSING):
        if aws.tables.describe_table(TableName=name)["Table"]["TableStatus"] == "DELETING":
            aws.tables.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAITER)
    with absent("ResourceInUseException"):
        aws.tables.create_table(TableName=name, Tags=tag_list(tags), **MAILBOX)
    aws.tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAITER)
    refuse_foreign(foreign_table(aws, aws.tables.describe_table(TableName=name)["Table"], tags))
    if not expires(aws, name):
        aws.tables.update_time_to_live(TableName=name, TimeToLiveSpecification=MAILBOX_TTL)


def expires(aws: AWS, table: str) -> bool:
    """Tells whether a table's items expire, now or soon."""
    described = aws.tables.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return described["TimeToLiveStatus"] in ("ENABLED", "ENABLING")


def layer_arn(aws: AWS, name: str) -> str | None:
    versions = aws.functions.list_layer_versions(LayerName=name).get("LayerVersions", [])
    return str(versions[0]["LayerVersionArn"]) if versions else None


def make_layer(aws: AWS, name: str, archive: Archive, python: str, architecture: str, maker: str) -> str:
    """Returns the ARN of a layer, published once, since its name is that of its content.

    `maker` is the project that published it.
    """
    if known := layer_arn(aws, name):
        return known
    content = uploaded(aws, archive)
    made = aws.functions.publish_layer_version(
        LayerName=name,
        Description=maker,
        Content=content,
        CompatibleRuntimes=[f"python{python}"],
        CompatibleArchitectures=[architecture],
    )
    discard(aws, content)
    return str(made["LayerVersionArn"])


def create_function(
    aws: AWS, configuration: Mapping[str, Any], archive: Archive, architecture: str, tags: Mapping[str, str]
) -> None:
    """Creates a function of a `configuration` as CreateFunction and UpdateFunctionConfiguration take it.

    Raises InputError if there is a function of that name that is not homeport's.
    """
    code, name = uploaded(aws, archive), configuration["FunctionName"]
    create = {**configuration, "Code": code, "Architectures": [architecture], "Tags": tags}
    # A request whose answer was lost is repeated by boto3, and then the function exists.
    with absent("ResourceConflictException"):
        _configure(aws, aws.functions.create_function, create)
    made = aws.functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    refuse_foreign(foreign_function(name, aws.functions.list_tags(Resource=made)["Tags"], tags))
    _finish(aws, configuration, code)


def update_function(aws: AWS, configuration: Mapping[str, Any], archive: Archive, architectures: Sequence[str]) -> None:
    """Brings $LATEST to the desired code and configuration."""
    name, code = configuration["FunctionName"], uploaded(aws, archive)
    aws.functions.update_function_code(FunctionName=name, Architectures=list(architectures), **code)
    wait(aws, name, "function_updated_v2")
    _configure(aws, aws.functions.update_function_configuration, configuration)
    _finish(aws, configuration, code)


def _configure(aws: AWS, call: Callable[..., Any], configuration: Mapping[str, Any]) -> None:
    when_known(
        lambda: call(**configuration),
        lambda error: "cannot be assumed" in str(error) and code_of(error) == "InvalidParameterValueException",
    )
    wait(aws, configuration["FunctionName"], "function_updated_v2")


def _finish(aws: AWS, configuration: Mapping[str, Any], code: Mapping[str, Any]) -> None:
    wait(aws, configuration["FunctionName"], "function_active_v2")
    discard(aws, code)


def make_url(aws: AWS, invoke_mode: str, **function: str) -> str:
    """Returns the URL of a function or its alias, which anybody may call; `function` is as AWS's calls take it."""
    for sid, permission in PERMISSIONS.items():
        with absent("ResourceConflictException"):
            aws.functions.add_permission(**function, StatementId=sid, **permission)
    with absent("ResourceConflictException"):
        made = aws.functions.create_function_url_config(**function, AuthType="NONE", InvokeMode=invoke_mode)
        return str(made["FunctionUrl"]).rstrip("/")
    return str(aws.functions.get_function_url_config(**function)["FunctionUrl"]).rstrip("/")


def wait(aws: AWS, name: str, waiter: str, **more: Any) -> None:
    aws.functions.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=WAITER, **more)


def when_known(call: Callable[[], Any], is_unknown: Callable[[BaseException], bool]) -> None:
    """Calls, and retries while the error `is_unknown`."""
    for attempt in Retrying(
        retry=retry_if_exception(is_unknown), stop=stop_after_delay(SPREADS_S), wait=wait_fixed(1), reraise=True
    ):
        with attempt:
            call()
