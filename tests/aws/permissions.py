"""Says what a request to AWS needs of whoever signs it: actions, the resources that they are on, and what conditions
look at, as IAM names them.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote

from .moto_server import REGION

ACCOUNT = "123456789012"
# The action of each of Lambda's paths, without the date in front.
LAMBDA = (
    ("POST", r"functions", "CreateFunction"),
    ("GET", r"functions/?", "ListFunctions"),
    ("GET", r"functions/([^/]+)", "GetFunction"),
    ("DELETE", r"functions/([^/]+)", "DeleteFunction"),
    ("GET", r"functions/([^/]+)/configuration", "GetFunctionConfiguration"),
    ("PUT", r"functions/([^/]+)/configuration", "UpdateFunctionConfiguration"),
    ("PUT", r"functions/([^/]+)/code", "UpdateFunctionCode"),
    ("GET", r"functions/([^/]+)/versions", "ListVersionsByFunction"),
    ("POST", r"functions/([^/]+)/versions", "PublishVersion"),
    ("POST", r"functions/([^/]+)/aliases", "CreateAlias"),
    ("GET", r"functions/([^/]+)/aliases/[^/]+", "GetAlias"),
    ("PUT", r"functions/([^/]+)/aliases/[^/]+", "UpdateAlias"),
    ("POST", r"functions/([^/]+)/invocations", "InvokeFunction"),
    ("POST", r"functions/([^/]+)/policy", "AddPermission"),
    ("GET", r"functions/([^/]+)/url", "GetFunctionUrlConfig"),
    ("POST", r"functions/([^/]+)/url", "CreateFunctionUrlConfig"),
    ("DELETE", r"functions/([^/]+)/url", "DeleteFunctionUrlConfig"),
    ("GET", r"functions/([^/]+)/concurrency", "GetFunctionConcurrency"),
    ("PUT", r"functions/([^/]+)/concurrency", "PutFunctionConcurrency"),
    ("DELETE", r"functions/([^/]+)/concurrency", "DeleteFunctionConcurrency"),
    ("GET", r"tags/.+function(?::|%3A)([^/]+)", "ListTags"),
    ("POST", r"tags/.+function(?::|%3A)([^/]+)", "TagResource"),
    ("DELETE", r"tags/.+function(?::|%3A)([^/]+)", "UntagResource"),
    ("GET", r"layers/?", "ListLayers"),
    ("GET", r"layers/([^/]+)/versions", "ListLayerVersions"),
    ("POST", r"layers/([^/]+)/versions", "PublishLayerVersion"),
    ("DELETE", r"layers/([^/]+)/versions/[^/]+", "DeleteLayerVersion"),
    ("GET", r"account-settings/?", "GetAccountSettings"),
    ("GET", r"functions/([^/]+)/provisioned-concurrency", "GetProvisionedConcurrencyConfig"),
    ("PUT", r"functions/([^/]+)/provisioned-concurrency", "PutProvisionedConcurrencyConfig"),
    ("DELETE", r"functions/([^/]+)/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig"),
)
# Services that IAM names otherwise than signatures do.
PREFIXES = {"monitoring": "cloudwatch"}
TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
NO_RESOURCE = (
    "cloudwatch:GetMetricStatistics",
    "logs:DescribeLogGroups",
    "secretsmanager:ListSecrets",
    "sts:GetCallerIdentity",
)
# Actions that are allowed to everybody: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = ("sts:GetCallerIdentity",)
BOUNDARY = "iam:PermissionsBoundary"


@dataclass(frozen=True, slots=True)
class Need:
    """Holds an action on a resource; `context` has the values of condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def needed(service: str, method: str, path: str, named: str, body: bytes) -> Iterator[Need]:
    """Yields what a request needs; `named` is the action if the request itself names it."""
    if service == "lambda":
        yield from _of_lambda(method, path, body)
        return
    if service == "s3":
        _, bucket, *key = path.split("/", 2)
        verb = {"PUT": "Put", "POST": "Put", "DELETE": "Delete"}.get(method, "Get")
        action = f"{verb}Object" if key and key[0] else {"Put": "CreateBucket"}.get(verb, f"{verb}Bucket")
        yield Need(f"s3:{action}", "arn:aws:s3:::" + "/".join([bucket, *filter(None, key)]))
        return
    action = f"{PREFIXES.get(service, service)}:{named}"
    if action in NO_RESOURCE:
        yield Need(action, "*")
        return
    said: dict[str, Any] = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    if body.startswith(b"{"):
        said = json.loads(body)
    if named == "TransactWriteItems":
        for item in said["TransactItems"]:
            ((kind, one),) = item.items()
            yield Need(f"dynamodb:{TRANSACTION[kind]}", _arn(service, f"table/{one['TableName']}"))
        return
    if "RequestItems" in said:
        yield from (Need(action, _arn(service, f"table/{name}")) for name in said["RequestItems"])
        return
    bounded = {BOUNDARY: said["PermissionsBoundary"]} if "PermissionsBoundary" in said else {}
    yield Need(action, _resource(service, said), bounded)


def _of_lambda(method: str, path: str, body: bytes) -> Iterator[Need]:
    rest = re.sub(r"^/[\d-]+/", "", path)
    matches = ((action, re.fullmatch(pattern, rest)) for verb, pattern, action in LAMBDA if verb == method)
    action, match = next(((action, match) for action, match in matches if match), ("", None))
    assert action, f"a request that no test knows: {method} {path}"
    said = json.loads(body) if body.startswith(b"{") and action != "InvokeFunction" else {}
    name = unquote(match[1]) if match and match.groups() else said.get("FunctionName")
    kind = "layer" if "Layer" in action else "function"
    yield Need(f"lambda:{action}", "*" if name is None else _arn("lambda", f"{kind}:{name}"))
    if "Role" in said:
        yield Need("iam:PassRole", said["Role"], {"iam:PassedToService": "lambda.amazonaws.com"})


def _resource(service: str, said: dict[str, Any]) -> str:
    if named := said.get("ResourceArn") or said.get("resourceArn"):
        return str(named)
    match service:
        case "dynamodb":
            return _arn(service, f"table/{said['TableName']}")
        case "sqs":
            return _arn(service, said["QueueUrl"].rpartition("/")[2])
        case "iam":
            return f"arn:aws:iam::{ACCOUNT}:role/{said['RoleName']}" if "RoleName" in said else str(said["PolicyArn"])
        case "logs":
            name = said.get("logGroupName") or said["logGroupIdentifier"]
            stream = f":log-stream:{said['logStreamName']}" if "logStreamName" in said else ""
            return _arn(service, f"log-group:{name}{stream}")
        case "secretsmanager":
            name = said.get("SecretId") or said["Name"]
            return str(name) if name.startswith("arn:") else _arn(service, f"secret:{name}-AbCdEf")
    raise AssertionError(f"a service that no test knows: {service}")


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def allows(policy: dict[str, Any], need: Need) -> bool:
    """Tells whether a policy allows it. A statement's actions are named; its resources may have `*`; conditions are of
    equal texts.
    """
    return need.action in FREE or any(_allows(statement, need) for statement in policy["Statement"])


def _allows(statement: dict[str, Any], need: Need) -> bool:
    condition = dict(statement.get("Condition", {}))
    equals, missing = condition.pop("StringEquals", {}), condition.pop("Null", {})
    assert not condition, f"a condition that no test knows: {condition}"
    return (
        need.action in statement["Action"]
        and any(fnmatchcase(need.resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(need.context.get(key) == value for key, value in equals.items())
        and all((key not in need.context) == (value == "true") for key, value in missing.items())
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
