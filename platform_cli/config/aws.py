"""Reads what fastmcp.toml says of AWS: ARNs, IAM statements, networks and tags. See schema.py for the keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .project import Network, Statement

# ruff: noqa: TRY004 - a reader raises ValueError only

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+")
# Lambda takes five layers for a function, and homeport needs two of them.
MAX_LAYERS = 3
MAX_TAGS = 20
# The names that both IAM and Lambda accept: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
TAG = re.compile(r"(?!aws:|homeport:)[\w .:/=+@-]{1,128}")


def arn(service: str, resource: str, example: str) -> Callable[[object], str]:
    """Returns a reader of ARNs of `service` whose resource matches the pattern `resource`."""
    pattern = re.compile(rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:(\d{{12}}|aws):{resource}", re.ASCII)

    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f'must be an ARN such as "{example}"')
        return value

    return read


policy = arn("iam", r"policy/[\w+=,.@/-]+", "arn:aws:iam::123456789012:policy/reports")
role = arn("iam", r"role/[\w+=,.@/-]+", "arn:aws:iam::123456789012:role/reports")
key = arn("kms", r"key/[\w-]+", "arn:aws:kms:eu-central-1:123456789012:key/...")
web_acl = arn(
    "wafv2", r"global/webacl/[\w-]+/[\w-]+", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/limits/0a1b2c3d"
)
layer = arn("lambda", r"layer:[\w-]+:\d+", "arn:aws:lambda:eu-central-1:123456789012:layer:otel:3")


def each(read: Callable[[object], str], most: int) -> Callable[[object], tuple[str, ...]]:
    """Returns a reader of a list of up to `most` values, each of which `read` reads."""

    def read_all(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"must be a list of up to {most}")
        return tuple(map(read, value))

    return read_all


def statements(value: object) -> tuple[Statement, ...]:
    """Reads the IAM statements that allow the server more than homeport itself needs."""
    if not isinstance(value, list):
        raise ValueError(f"must be a list of {_STATEMENT}")
    return tuple(map(_statement, value))


_STATEMENT = '{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::bucket/*"] }'


def _statement(value: object) -> Statement:
    found = _table(value, ("actions", "resources"), _STATEMENT)
    if not all(ACTION.fullmatch(action) for action in found["actions"]):
        raise ValueError(f"has an action that is none: it must be such as {_STATEMENT}")
    if not all(resource == "*" or resource.startswith("arn:") for resource in found["resources"]):
        raise ValueError('has a resource that is neither an ARN nor "*"')
    return Statement(found["actions"], found["resources"])


def network(value: object) -> Network:
    found = _table(value, ("subnets", "security_groups"), '{ subnets = ["subnet-1"], security_groups = ["sg-1"] }')
    return Network(found["subnets"], found["security_groups"])


def tags(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_TAGS:
        raise ValueError(f'must be up to {MAX_TAGS} tags: {{ team = "payments" }}')
    for name, content in value.items():
        if not TAG.fullmatch(name) or not isinstance(content, str) or not re.fullmatch(r"[\w .:/=+@-]{0,256}", content):
            raise ValueError(f"has {name!r}, which AWS does not take as a tag, or homeport keeps for itself")
    return value


def _table(value: object, keys: tuple[str, str], example: str) -> dict[str, tuple[str, ...]]:
    """Reads a table with two keys, each a list of texts that is not empty."""
    if not isinstance(value, dict) or set(value) != set(keys) or not all(map(_is_texts, value.values())):
        raise ValueError(f"must be such as {example}")
    return {name: tuple(value[name]) for name in keys}


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)
