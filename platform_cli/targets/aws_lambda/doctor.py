"""Checks what a deploy to Lambda needs of the AWS account, with one small function for each check, which changes
nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from ...config.project import LambdaSettings
from ...doctor.machine import Check, Status, check_python, check_uv
from ...errors import AWSError, ConfigError
from .client import AWS, aws_errors, code_of
from .doctor_organization import check_public_url, check_security_hub
from .doctor_settings import check_settings
from .permissions import needed
from .planner import ALWAYS_UNRESERVED
from .refusals import NO_CREDENTIALS

# AWS refuses requests that are signed further from its own time
# (https://docs.aws.amazon.com/general/latest/gr/sigv4-elements.html).
MAX_SKEW_S = 300
LITTLE_SKEW_S = 60
LITTLE_STORAGE = 0.9
ANSWER_TIMEOUT_S = 10.0
# The sources of credentials by boto3's names.
SOURCES = {
    "env": "environment variables",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "sso": "`aws sso login`",
    "login": "`aws login`",
    "assume-role": "a role that the profile assumes",
    "iam-role": "the role of this machine",
    "container-role": "the role of this container",
}


def run_lambda_checks(settings: LambdaSettings, *, fronted: bool) -> Iterator[Check]:
    """Yields the checks' results in the order in which a deploy would fail, up to credentials that AWS does not accept.

    `fronted` means that the project has host names of its own.
    """
    yield check_python(sys.version_info[:3])
    yield check_uv()
    try:
        aws = AWS(settings.region)
    except ConfigError as error:
        yield Check("region", "problem", error.message, error.hint)
        return
    yield Check("region", "ok", aws.region)
    clock = check_clock(aws)
    yield clock
    credentials = check_credentials(aws)
    yield credentials
    if "problem" in (clock.status, credentials.status):
        return
    yield check_permissions(aws, fronted=fronted)
    yield check_public_url(aws)
    yield from check_quotas(aws)
    yield from check_settings(aws, settings)
    yield from check_security_hub(aws)


def check_clock(aws: AWS) -> Check:
    """Compares the clock with the time in an answer of AWS, which needs no credentials."""
    import httpx

    url = aws.identities.meta.endpoint_url
    try:
        there = parsedate_to_datetime(httpx.head(url, timeout=ANSWER_TIMEOUT_S).headers["Date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return Check("clock", "problem", f"{url} does not answer: {error}", "check the network, a proxy, the region")
    skew = abs(time.time() - there)
    if skew < LITTLE_SKEW_S:
        return Check("clock", "ok", "within a minute of AWS's")
    fix = "set this machine's clock, for instance with timedatectl set-ntp true"
    status: Status = "problem" if skew >= MAX_SKEW_S else "warning"
    return Check("clock", status, f"{skew:.0f} seconds from AWS's, which refuses {MAX_SKEW_S}", fix)


def check_credentials(aws: AWS) -> Check:
    try:
        with aws_errors(aws.region):
            source = aws.credentials_from
            if source is None:
                return Check("credentials", "problem", "there are none", NO_CREDENTIALS)
            return Check("credentials", "ok", f"{aws.caller}, from {SOURCES.get(source, source)}")
    except AWSError as error:
        return Check("credentials", "problem", error.message, error.hint)


def check_permissions(aws: AWS, *, fronted: bool) -> Check:
    """Checks each action that a project needs with AWS's own simulator, which does not know the organization's
    policies.
    """
    from botocore.exceptions import ClientError

    wanted = needed(aws, fronted=fronted)
    count = sum(len(actions) for actions in wanted.values())
    if aws.caller.endswith(":root"):
        return Check("permissions", "ok", "the account's root user may do everything")
    try:
        source = _policy_source(aws)
        denied = [name for resource, actions in wanted.items() for name in _denied(aws, source, resource, actions)]
    except ClientError as error:
        names = ", ".join(sorted(name for actions in wanted.values() for name in actions))
        return Check(
            "permissions",
            "warning",
            f"could not be checked ({code_of(error)}); a deploy asks for {names}",
            "allow iam:SimulatePrincipalPolicy, or compare by hand",
        )
    if denied:
        return Check(
            "permissions", "problem", f"not allowed: {', '.join(denied)}", "allow them for homeport-* resources"
        )
    return Check("permissions", "ok", f"all {count} that a project needs")


def _policy_source(aws: AWS) -> str:
    """Returns the user or role whose policies apply, which for a session is the assumed role."""
    kind, _, rest = aws.caller.split(":", 5)[5].partition("/")
    if kind == "assumed-role":
        return str(aws.roles.get_role(RoleName=rest.split("/")[0])["Role"]["Arn"])
    return aws.caller


def _denied(aws: AWS, source: str, resource: str, actions: list[str]) -> list[str]:
    pages = aws.roles.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=source, ActionNames=actions, ResourceArns=[resource]
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    return [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]


def check_quotas(aws: AWS) -> Iterator[Check]:
    try:
        with aws_errors():
            settings = aws.functions.get_account_settings()
    except AWSError as error:
        yield Check("quotas", "warning", error.message, error.hint)
        return
    limit, usage = settings["AccountLimit"], settings["AccountUsage"]
    most, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    detail = f"{most} at once, {max(0, free - ALWAYS_UNRESERVED)} of them to reserve for [scaling] max"
    if free <= ALWAYS_UNRESERVED:
        yield Check("concurrency", "warning", detail, "ask for more in Service Quotas, or leave [scaling] max out")
    else:
        yield Check("concurrency", "ok", detail)
    used, size = usage["TotalCodeSize"], limit["TotalCodeSize"]
    detail = f"{used / 1000**3:.1f} of {size / 1000**3:.0f} GB of code are used"
    if used > size * LITTLE_STORAGE:
        yield Check("storage", "warning", detail, "homeport destroy old projects, or delete old versions of functions")
    else:
        yield Check("storage", "ok", detail)
