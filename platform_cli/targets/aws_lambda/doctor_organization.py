"""Checks rules above the account that concern a public URL: policies of the organization, and findings
of Security Hub.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...doctor.machine import Check
from .client import AWS, MISSING, code_of
from .names import PREFIX

# No project, and so no function, has this name.
NOBODY = f"{PREFIX}doctor_asks"
DENY = "explicit deny"


def check_public_url(aws: AWS) -> Check:
    """Requests a public URL for a function that does not exist, since AWS checks policies first.

    These include the organization's policies, which its simulator does not know.
    """
    from botocore.exceptions import ClientError

    try:
        aws.functions.create_function_url_config(FunctionName=NOBODY, AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    except ClientError as error:
        message = str(error.response["Error"].get("Message", ""))
        if code_of(error) != MISSING and DENY in message:
            return Check(
                "public URL",
                "problem",
                f"denied above the account's own policies: {message}",
                "ask whoever runs the organization to allow lambda:FunctionUrlAuthType NONE for homeport-* functions",
            )
    return Check("public URL", "ok", "no policy of an organization denies it")


def check_security_hub(aws: AWS) -> Iterator[Check]:
    """Yields a warning if Security Hub is on and may be read."""
    from botocore.exceptions import ClientError

    try:
        aws.hub.describe_hub()
    except ClientError:
        return
    yield Check(
        "security hub",
        "warning",
        "is on: its control Lambda.1 reports each function whose URL is open, which is every project's",
        "an automation rule that suppresses Lambda.1 for functions called homeport-*, whose guard wants the token",
    )
