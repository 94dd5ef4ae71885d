"""Limits a project's instances: at least, by provisioned concurrency of `live`, and at most,
by reserved concurrency.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ...errors import ReleaseError
from .client import AWS, absent, aws_errors
from .names import ALIAS, function_name

NOT_PROVISIONED = "ProvisionedConcurrencyConfigNotFoundException"
# AWS takes minutes for hundreds of instances, and a server may take two minutes to start
# (https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html).
READY_S = 600.0
FIRST_LOOK_S = 0.25
LONGEST_LOOK_S = 5.0


def provisioned(aws: AWS, project: str) -> Mapping[str, Any] | None:
    """Returns the answer of GetProvisionedConcurrencyConfig, None if no instance is to be kept ready."""
    with absent(NOT_PROVISIONED):
        found: Mapping[str, Any] = aws.functions.get_provisioned_concurrency_config(**_live(project))
        return found
    return None


def keep_ready(aws: AWS, project: str, count: int) -> None:
    """Requests provisioned concurrency for the alias, with which it moves from version to version.

    $LATEST cannot have any.
    """
    if count:
        aws.functions.put_provisioned_concurrency_config(**_live(project), ProvisionedConcurrentExecutions=count)
    else:
        aws.functions.delete_provisioned_concurrency_config(**_live(project))


def limit_instances(aws: AWS, project: str, limit: int | None) -> None:
    """Reserves concurrency, or with None leaves it to the account's limit."""
    name = function_name(project)
    if limit is None:
        aws.functions.delete_function_concurrency(FunctionName=name)
    else:
        aws.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)


def wait_until_ready(aws: AWS, project: str, release: str) -> None:
    """Waits until the instances that are to be kept ready exist.

    Raises ReleaseError if AWS fails to start them, or takes too long; `release` then answers by instances that start on
    demand.
    """
    deadline, pause = time.monotonic() + READY_S, FIRST_LOOK_S
    with aws_errors():
        while (now := provisioned(aws, project)) and now["Status"] == "IN_PROGRESS":
            if time.monotonic() > deadline:
                so_far = f"it has {now['AvailableProvisionedConcurrentExecutions']} after {READY_S / 60:.0f} minutes"
                hint = f"homeport status {project} --target lambda shows when they are there"
                raise _not_ready(project, release, now, so_far, hint)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_LOOK_S)
    if now and (reason := failure(now)):
        logs = f"homeport logs {project} --target lambda"
        hint = f"{logs} shows how instances start; deploy again, perhaps with a smaller [scaling] min"
        raise _not_ready(project, release, now, reason, hint)


def failure(config: Mapping[str, Any]) -> str | None:
    """Returns why AWS has failed to keep instances ready, None if it has not."""
    return str(config.get("StatusReason", "AWS does not say why")) if config["Status"] == "FAILED" else None


def _not_ready(project: str, release: str, config: Mapping[str, Any], reason: str, hint: str) -> ReleaseError:
    wanted = config["RequestedProvisionedConcurrentExecutions"]
    return ReleaseError(
        f"{release} of {project} is live and answers, but the {wanted} instances that AWS is to keep ready are not "
        f"there: {reason}",
        hint=hint,
    )


def _live(project: str) -> dict[str, str]:
    return {"FunctionName": function_name(project), "Qualifier": ALIAS}
