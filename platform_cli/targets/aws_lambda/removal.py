"""A project's end: all that it has on AWS. Each call may be repeated, and what leads to the others goes last, so that a
removal that was killed is finished by the next.
"""

from __future__ import annotations

from contextlib import nullcontext

from ...secrets.secrets_manager import ProjectSecrets
from .client import AWS, MISSING, absent
from .creation import WAITER
from .layers import delete_unused_layers, made_layers
from .live import Live
from .lock import deploy_lock
from .names import ALIAS, POLICY, function_name, log_group, mailbox_table, role_name
from .upload import delete_empty_bucket


def remove_project(aws: AWS, project: str, live: Live) -> None:
    """Raises BusyError while it is deployed."""
    with deploy_lock(aws, project) if live.has_group else nullcontext():
        # A deploy that follows a removal that was killed makes all of it anew, since nobody has the URL.
        with absent(MISSING):
            aws.functions.delete_function_url_config(FunctionName=function_name(project), Qualifier=ALIAS)
        _remove_function(aws, project, live)
        delete_empty_bucket(aws)
        _remove_table(aws, mailbox_table(project))
        with absent("NoSuchEntity"):
            aws.roles.delete_role_policy(RoleName=role_name(project), PolicyName=POLICY)
        with absent("NoSuchEntity"):
            aws.roles.delete_role(RoleName=role_name(project))
        # AWS could keep them for a month: then the name would not be free again.
        ProjectSecrets(aws, project).forget()
        with absent(MISSING):
            aws.logs.delete_log_group(logGroupName=log_group(project))


def _remove_function(aws: AWS, project: str, live: Live) -> None:
    """Its layers first, of which it alone knows: a function goes on with layers that are deleted
    (https://docs.aws.amazon.com/lambda/latest/dg/creating-deleting-layers.html). Those of other projects stay.
    """
    name = function_name(project)
    delete_unused_layers(aws, live.layers | made_layers(aws, project), but_by=name)
    with absent(MISSING):
        aws.functions.delete_function(FunctionName=name)


def _remove_table(aws: AWS, name: str) -> None:
    """Until the name is free again, which takes a moment."""
    with absent(MISSING):
        if aws.tables.describe_table(TableName=name)["Table"]["TableStatus"] != "DELETING":
            # One that is still being made cannot be deleted.
            aws.tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAITER)
            aws.tables.delete_table(TableName=name)
        aws.tables.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAITER)
