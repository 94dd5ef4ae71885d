"""Removes a project with everything that it has on AWS, and nothing that is not homeport's.

Each call is idempotent, and what leads to other resources is removed last, so that another removal finishes one that
was killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from ..base import Removal
from .client import AWS, MISSING, absent
from .creation import WAITER
from .fronts import read_front, remove_front, shown
from .layers import delete_unused_layers, made_layers
from .live import Live, Mailbox
from .lock import deploy_lock
from .names import ALIAS, TAG, early_role_name, function_name, log_group, mailbox_table, role_name, secret_name
from .ownership import foreign_log_group, foreign_role
from .roles import attached_by_hand, delete_role, detach_policies, is_of_region
from .secrets_manager import ProjectSecrets
from .upload import delete_empty_bucket


def plan_removal(aws: AWS, project: str, live: Live) -> Removal:
    """Returns what there is to remove, and what stays though it has a name of the project's, and changes nothing."""
    kept = list(live.foreign)
    front = read_front(aws, live.tags)
    gone = shown(front) if front else []
    if live.function:
        releases = f"{len(live.releases)} releases" if len(live.releases) != 1 else "its release"
        others = [f"version {one.number}, published by hand" for one in live.hand_made]
        gone.append(f"function {function_name(project)} with {', '.join([releases, *others])}, and its URL")
    if live.mailbox is not Mailbox.ABSENT:
        gone.append(f"table {mailbox_table(project)}")
    for role in _roles(aws, project):
        policies = attached_by_hand(aws, role)
        gone.append(f"role {role}" + (f", from which {', '.join(policies)} is detached" if policies else ""))
    secrets = ProjectSecrets(aws, project)
    if secrets.are_ours():
        gone.append(f"secret {secret_name(project)}, for good and at once")
    elif secrets.exist():
        kept.append(f"secret {secret_name(project)} (without the tag {TAG} = {project})")
    if live.has_group:
        foreign = foreign_log_group(aws, log_group(project), {TAG: project})
        kept.append(foreign) if foreign else gone.append(f"logs in {log_group(project)}")
    return Removal(tuple(gone), tuple(kept))


def remove_project(aws: AWS, project: str, live: Live) -> None:
    """Removes the project.

    Raises BusyError while it is being deployed.
    """
    group, own_group = log_group(project), False
    if live.has_group:
        own_group = foreign_log_group(aws, group, {TAG: project}) is None
    with deploy_lock(aws, project) if live.has_group else nullcontext():
        roles = list(_roles(aws, project))
        # IAM deletes no role with an attached policy, so a policy that cannot be detached stops this before anything is
        # removed.
        for role in roles:
            detach_policies(aws, role)
        if front := read_front(aws, live.tags):
            remove_front(aws, project, front)
        if live.function:
            # A deploy after a removal that was killed makes everything anew, since nobody has the URL any more.
            with absent(MISSING):
                aws.functions.delete_function_url_config(FunctionName=function_name(project), Qualifier=ALIAS)
        _remove_function(aws, project, live)
        delete_empty_bucket(aws)
        if live.mailbox is not Mailbox.ABSENT:
            _remove_table(aws, mailbox_table(project))
        for role in roles:
            delete_role(aws, role)
        # AWS could keep them for a month, in which the name would not be free.
        secrets = ProjectSecrets(aws, project)
        if secrets.are_ours():
            secrets.forget()
        if own_group:
            with absent(MISSING):
                aws.logs.delete_log_group(logGroupName=group)


def _remove_function(aws: AWS, project: str, live: Live) -> None:
    """Removes the function after its layers, which only it knows, except those of other projects.

    A function continues with layers that are deleted
    (https://docs.aws.amazon.com/lambda/latest/dg/creating-deleting-layers.html).
    """
    name = function_name(project)
    delete_unused_layers(aws, live.layers | made_layers(aws, project), but_by=name)
    if live.function:
        with absent(MISSING):
            aws.functions.delete_function(FunctionName=name)


def _remove_table(aws: AWS, name: str) -> None:
    """Removes a table and waits until its name is free again, which takes a moment."""
    with absent(MISSING):
        if aws.tables.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING":
            # A table that is still being created cannot be deleted.
            aws.tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAITER)
            aws.tables.delete_table(TableName=name)
        aws.tables.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAITER)


def _roles(aws: AWS, project: str) -> Iterator[str]:
    """Yields the project's roles in this region, including one of an earlier version that is not another region's."""
    for name in (role_name(project, aws.region), early_role_name(project)):
        with absent("NoSuchEntity"):
            role = aws.roles.get_role(RoleName=name)["Role"]
            if foreign_role(role, {TAG: project}) is None and (
                name != early_role_name(project) or is_of_region(aws, role)
            ):
                yield name
