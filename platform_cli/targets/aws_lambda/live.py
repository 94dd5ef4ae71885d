"""Reads what exists on AWS for a project, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ...errors import InputError
from .client import AWS, MISSING, absent
from .concurrency import failure, provisioned
from .creation import expires
from .names import ALIAS, POLICY, TAG, function_name, log_group, mailbox_table, role_name
from .ownership import foreign_function, foreign_role, foreign_table, refuse_foreign
from .versions import STACK, HandMade, Version, layers_of, read_versions

NEWEST = re.compile(r"newest v(\d+)", re.ASCII)


class Mailbox(Enum):
    """Is the state of the project's mailbox table, which can be used once DynamoDB removes expired items
    from it (TTL).
    """

    ABSENT = "absent"
    UNFINISHED = "unfinished"
    THERE = "there"


@dataclass(frozen=True, slots=True)
class Live:
    """Holds what exists on AWS for a project.

    `role` is its ARN, `tags` are the function's. `versions` are oldest first, and `newest` is the newest release that
    ever was live. `leads_to` is the number of the version that `live` leads to, `active` that version if it is a
    release. `hand_made` are versions that are no releases. `foreign` are reasons why something with a name of the
    project's is not homeport's; the other fields do not describe that.
    """

    role: str | None
    policy: Mapping[str, Any] | None
    boundary: str | None
    log_days: int | None
    has_group: bool
    mailbox: Mailbox
    function: Mapping[str, Any] | None
    tags: Mapping[str, str]
    versions: tuple[Version, ...]
    hand_made: tuple[HandMade, ...]
    leads_to: str | None
    active: Version | None
    newest: int
    url: str | None
    reserved: int | None
    provisioned: Mapping[str, Any] | None
    foreign: tuple[str, ...]

    @property
    def kept_ready(self) -> int:
        """Returns how many instances are to be kept ready."""
        return int(self.provisioned["RequestedProvisionedConcurrentExecutions"]) if self.provisioned else 0

    @property
    def not_kept_ready(self) -> str | None:
        """Returns why AWS has failed to keep instances ready, None if it has not."""
        return failure(self.provisioned) if self.provisioned else None

    @property
    def layers(self) -> set[str]:
        """Returns all layers that $LATEST and the versions use."""
        return {*layers_of(self.function or {}), *self._published_layers}

    @property
    def _published_layers(self) -> set[str]:
        ours = {arn for version in self.versions for arn in version.layers}
        return ours | {arn for version in self.hand_made for arn in version.layers}

    @property
    def abandoned_layers(self) -> set[str]:
        """Returns the layers that only $LATEST uses, which a failed deploy has left."""
        return self.layers - self._published_layers

    @property
    def releases(self) -> tuple[Version, ...]:
        """Returns the releases that were live, oldest first.

        Of several versions of one release it is the active one, else the oldest: that one has been live, and its
        replacement may not have been.
        """
        found: dict[int, Version] = {}
        for version in self.versions:
            if version.release <= self.newest and (version.release not in found or version == self.active):
                found[version.release] = version
        return tuple(found[release] for release in sorted(found))

    @property
    def latest(self) -> Version | None:
        """Returns the version whose access settings are kept: the active release, or if there is none, the newest."""
        return self.active or (self.releases[-1] if self.releases else None)

    @property
    def leftover(self) -> tuple[Version, ...]:
        """Returns versions that nobody can roll back to, from a command that was killed, or replaced ones."""
        return tuple(version for version in self.versions if version not in self.releases)


def check_can_change(project: str, live: Live) -> None:
    """Raises InputError if something is not homeport's, or belongs to a stack."""
    refuse_foreign(*live.foreign)
    check_not_of_stack(project, live)


def check_not_of_stack(project: str, live: Live) -> None:
    """Raises InputError for a stack's project, since the stack's next update would undo changes that it
    does not know.
    """
    if live.active and live.active.reason == STACK:
        raise InputError(
            f"{project} belongs to a CloudFormation stack",
            hint="change it through its pipeline, or --name for a new one",
        )


def read_live(aws: AWS, project: str) -> Live:
    name, tags = function_name(project), {TAG: project}
    role, policy, foreign = _role(aws, project, tags)
    bounded = (role or {}).get("PermissionsBoundary", {})
    mailbox, foreign_mailbox = _mailbox(aws, project, tags)
    function, found, not_ours = _function(aws, name, tags)
    alias = url = reserved = ready = None
    versions: tuple[Version, ...] = ()
    hand_made: tuple[HandMade, ...] = ()
    if function:
        with absent(MISSING):
            versions, hand_made = read_versions(aws, name)
            reserved = aws.functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
            alias = aws.functions.get_alias(FunctionName=name, Name=ALIAS)
            url = aws.functions.get_function_url_config(FunctionName=name, Qualifier=ALIAS)["FunctionUrl"].rstrip("/")
    if alias:
        ready = provisioned(aws, project)
    groups = aws.logs.describe_log_groups(logGroupNamePrefix=log_group(project))["logGroups"]
    group = next((group for group in groups if group["logGroupName"] == log_group(project)), None)
    leads_to = alias["FunctionVersion"] if alias else None
    return Live(
        role=role["Arn"] if role else None,
        policy=policy,
        boundary=bounded.get("PermissionsBoundaryArn"),
        log_days=group.get("retentionInDays") if group else None,
        has_group=group is not None,
        mailbox=mailbox,
        function=function,
        tags=found,
        versions=versions,
        hand_made=hand_made,
        leads_to=leads_to,
        active=next((one for one in versions if one.number == leads_to), None),
        newest=_newest(alias["Description"], versions) if alias else 0,
        url=url,
        reserved=reserved,
        provisioned=ready,
        foreign=tuple(reason for reason in (foreign, foreign_mailbox, not_ours) if reason),
    )


def _newest(description: str, versions: tuple[Version, ...]) -> int:
    """Returns the newest release; if somebody has changed the description, no existing version may be taken for one
    that never was live.
    """
    match = NEWEST.fullmatch(description)
    return int(match[1]) if match else max((version.release for version in versions), default=0)


def _function(
    aws: AWS, name: str, tags: Mapping[str, str]
) -> tuple[Mapping[str, Any] | None, Mapping[str, str], str | None]:
    """Returns the function, its tags, and why it is not homeport's, None if it is."""
    with absent(MISSING):
        function: Mapping[str, Any] = aws.functions.get_function_configuration(FunctionName=name)
        found: Mapping[str, str] = aws.functions.list_tags(Resource=function["FunctionArn"])["Tags"]
        reason = foreign_function(name, found, tags)
        return (None, {}, reason) if reason else (function, found, None)
    return None, {}, None


def _role(
    aws: AWS, project: str, tags: Mapping[str, str]
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None, str | None]:
    """Returns the role, its policy, and why it is not homeport's, None if it is."""
    role = policy = None
    name = role_name(project, aws.region)
    with absent("NoSuchEntity"):
        found: Mapping[str, Any] = aws.roles.get_role(RoleName=name)["Role"]
        if reason := foreign_role(found, tags):
            return None, None, reason
        role = found
        policy = aws.roles.get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"]
    return role, policy, None


def _mailbox(aws: AWS, project: str, tags: Mapping[str, str]) -> tuple[Mailbox, str | None]:
    name = mailbox_table(project)
    with absent(MISSING):
        table = aws.tables.describe_table(TableName=name)["Table"]
        if reason := foreign_table(aws, table, tags):
            return Mailbox.ABSENT, reason
        there = table["TableStatus"] == "ACTIVE" and expires(aws, name)
        return Mailbox.THERE if there else Mailbox.UNFINISHED, None
    return Mailbox.ABSENT, None
