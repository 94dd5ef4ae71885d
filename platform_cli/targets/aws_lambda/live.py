"""What is on AWS for a project. Reads, and changes nothing."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...errors import InputError
from .client import AWS, MISSING, absent
from .concurrency import failure, provisioned
from .creation import expires
from .names import ALIAS, POLICY, function_name, log_group, mailbox_table, role_name
from .pins import Pin, read_pin

# The reason of a release that came with a CloudFormation stack (template.py).
STACK = "stack"


def layers_of(configuration: Mapping[str, Any]) -> list[str]:
    return [layer["Arn"] for layer in configuration.get("Layers", ())]


@dataclass(frozen=True, slots=True)
class Version:
    """A published version; its description is `v3 IDENTITY REASON`, all of them the release's."""

    number: str
    release: int
    identity: str
    reason: str
    configuration: Mapping[str, Any]

    @property
    def variables(self) -> Mapping[str, str]:
        environment: Mapping[str, str] = self.configuration.get("Environment", {}).get("Variables", {})
        return environment

    @property
    def token_hash(self) -> str | None:
        """Of the project's token, without the deploy's own."""
        return self.variables.get("HOMEPORT_TOKEN_HASH", "").split(",")[0] or None

    @property
    def pin(self) -> Pin | None:
        return read_pin(self.variables)

    @property
    def layers(self) -> list[str]:
        return layers_of(self.configuration)

    @property
    def made_at(self) -> float:
        """Seconds since the epoch."""
        return calendar.timegm(time.strptime(self.configuration["LastModified"][:19], "%Y-%m-%dT%H:%M:%S"))


class Mailbox(Enum):
    """Its table, which is of use once what nobody took is removed from it in time (TTL)."""

    ABSENT = "absent"
    UNFINISHED = "unfinished"
    THERE = "there"


@dataclass(frozen=True, slots=True)
class Live:
    """`role` is its ARN; `versions` are oldest first; `newest` is the newest release that ever was live; `active` the
    version that `live` leads to.
    """

    role: str | None
    policy: Mapping[str, Any] | None
    log_days: int | None
    has_group: bool
    mailbox: Mailbox
    function: Mapping[str, Any] | None
    versions: tuple[Version, ...]
    active: Version | None
    newest: int
    url: str | None
    reserved: int | None
    provisioned: Mapping[str, Any] | None

    @property
    def is_absent(self) -> bool:
        """Whether nothing is there, not even what a deploy that was killed left behind."""
        return not (self.function or self.role or self.has_group or self.mailbox is not Mailbox.ABSENT)

    @property
    def kept_ready(self) -> int:
        """How many instances are to be there without being asked."""
        return int(self.provisioned["RequestedProvisionedConcurrentExecutions"]) if self.provisioned else 0

    @property
    def not_kept_ready(self) -> str | None:
        """Why they are not, where AWS gave up on them."""
        return failure(self.provisioned) if self.provisioned else None

    @property
    def layers(self) -> set[str]:
        """All that $LATEST and the versions use."""
        return {*layers_of(self.function or {}), *(arn for version in self.versions for arn in version.layers)}

    @property
    def abandoned_layers(self) -> set[str]:
        """What $LATEST alone uses: a deploy that failed left it."""
        return self.layers - {arn for version in self.versions for arn in version.layers}

    @property
    def releases(self) -> tuple[Version, ...]:
        """Those that were live, oldest first. Of several versions of one release the active one, else the oldest: it
        has proven itself, and what was to replace it may not have.
        """
        found: dict[int, Version] = {}
        for version in self.versions:
            if version.release <= self.newest and (version.release not in found or version == self.active):
                found[version.release] = version
        return tuple(found[release] for release in sorted(found))

    @property
    def leftover(self) -> tuple[Version, ...]:
        """What nobody can go back to: from a command that was killed, or replaced."""
        return tuple(version for version in self.versions if version not in self.releases)


def check_not_of_stack(project: str, live: Live) -> None:
    """Raises InputError: what a stack does not know of would be undone by its next update."""
    if live.active and live.active.reason == STACK:
        raise InputError(
            f"{project} belongs to a CloudFormation stack",
            hint="change it through its pipeline, or --name for a new one",
        )


def read_live(aws: AWS, project: str) -> Live:
    name = function_name(project)
    role, policy = _role(aws, project)
    groups = aws.logs.describe_log_groups(logGroupNamePrefix=log_group(project))["logGroups"]
    group = next((group for group in groups if group["logGroupName"] == log_group(project)), None)
    function = alias = url = reserved = ready = None
    versions: tuple[Version, ...] = ()
    with absent(MISSING):
        function = aws.functions.get_function_configuration(FunctionName=name)
        versions = _versions(aws, name)
        reserved = aws.functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    with absent(MISSING):
        alias = aws.functions.get_alias(FunctionName=name, Name=ALIAS)
        url = aws.functions.get_function_url_config(FunctionName=name, Qualifier=ALIAS)["FunctionUrl"].rstrip("/")
    if alias:
        ready = provisioned(aws, project)
    return Live(
        role=role,
        policy=policy,
        log_days=group.get("retentionInDays") if group else None,
        has_group=group is not None,
        mailbox=_mailbox(aws, project),
        function=function,
        versions=versions,
        active=next((one for one in versions if alias and one.number == alias["FunctionVersion"]), None),
        newest=int(alias["Description"].removeprefix("newest v")) if alias else 0,
        url=url,
        reserved=reserved,
        provisioned=ready,
    )


def _role(aws: AWS, project: str) -> tuple[str | None, Mapping[str, Any] | None]:
    role = policy = None
    with absent("NoSuchEntity"):
        role = aws.roles.get_role(RoleName=role_name(project))["Role"]["Arn"]
        policy = aws.roles.get_role_policy(RoleName=role_name(project), PolicyName=POLICY)["PolicyDocument"]
    return role, policy


def _mailbox(aws: AWS, project: str) -> Mailbox:
    table = mailbox_table(project)
    with absent(MISSING):
        status = aws.tables.describe_table(TableName=table)["Table"]["TableStatus"]
        return Mailbox.THERE if status == "ACTIVE" and expires(aws, table) else Mailbox.UNFINISHED
    return Mailbox.ABSENT


def _versions(aws: AWS, name: str) -> tuple[Version, ...]:
    found = []
    for page in aws.functions.get_paginator("list_versions_by_function").paginate(FunctionName=name):
        for one in page["Versions"]:
            if one["Version"] != "$LATEST":
                release, identity, reason = one["Description"].split(" ", 2)
                # Behind it the hash of its token, so that another token makes another version.
                reason = STACK if reason.startswith(STACK) else reason
                found.append(Version(one["Version"], int(release.removeprefix("v")), identity, reason, one))
    return tuple(sorted(found, key=lambda version: int(version.number)))
