"""Tells whose a resource is, since anybody may have chosen a name as homeport does.

What homeport made has its tag, a role also its trust, and a table its keys. Other resources are neither used nor
deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from .client import AWS, MISSING, absent
from .desired import MAILBOX, TRUST
from .places import arn

# The prefix of homeport's own tags; the others are the user's.
MARK = "homeport:"
HINT = "another --name, or rename or remove what is there; homeport leaves alone what it did not make"


def foreign_function(name: str, found: Mapping[str, str], tags: Mapping[str, str]) -> str | None:
    """Returns why a function with the tags `found` is not homeport's, None if it is."""
    return _without_mark(f"function {name}", found, tags)


def foreign_role(role: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """Returns why a role, as GetRole returns it, is not homeport's, None if it is."""
    shown = f"role {role['RoleName']}"
    if reason := _without_mark(shown, _named(role.get("Tags", ())), tags):
        return reason
    return None if role["AssumeRolePolicyDocument"] == TRUST else f"{shown} (others than Lambda may take it)"


def foreign_table(aws: AWS, table: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """Returns why a table, as DescribeTable returns it, is not homeport's, None if it is."""
    shown = f"table {table['TableName']}"
    with absent(MISSING):
        # A table that is being deleted has no tags any more.
        found = aws.tables.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        if reason := _without_mark(shown, _named(found), tags):
            return reason
    same = all(_as_set(table[part]) == _as_set(MAILBOX[part]) for part in ("KeySchema", "AttributeDefinitions"))
    return None if same else f"{shown} (it has other keys)"


def foreign_log_group(aws: AWS, name: str, tags: Mapping[str, str]) -> str | None:
    with absent(MISSING):
        found: Mapping[str, str] = aws.logs.list_tags_for_resource(resourceArn=arn(aws, "logs", f"log-group:{name}"))[
            "tags"
        ]
        return _without_mark(f"logs in {name}", found, tags)
    return None


def foreign_policy(policy: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """Returns why a policy, as GetPolicy returns it, is not homeport's, None if it is."""
    return _without_mark(f"policy {policy['PolicyName']}", _named(policy.get("Tags", ())), tags)


def refuse_foreign(*reasons: str | None) -> None:
    """Raises InputError for resources that are not homeport's, and have names that it needs."""
    if found := [reason for reason in reasons if reason]:
        raise InputError(f"not made by homeport: {'; '.join(found)}", hint=HINT)


def _without_mark(shown: str, found: Mapping[str, str], tags: Mapping[str, str]) -> str | None:
    marks = {name: value for name, value in tags.items() if name.startswith(MARK)}
    missing = ", ".join(f"{name} = {value}" for name, value in marks.items() if found.get(name) != value)
    return f"{shown} (without the tag {missing})" if missing else None


def _named(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _as_set(items: Any) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(sorted(item.items())) for item in items}
