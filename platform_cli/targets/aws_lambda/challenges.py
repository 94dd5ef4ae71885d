"""Makes the function of CloudFront that restores refusals, as homeport_runtime.hosts.aws_lambda.front explains.

It is the same for all projects of an account, so it is named by its content, and shared.
"""

from __future__ import annotations

import hashlib

from ...infra_files import infra_file
from .client import AWS, absent
from .names import PREFIX
from .places import Place, global_arn

# The prefix of its name.
CHALLENGE = f"{PREFIX}challenge-"
RUNTIME = "cloudfront-js-2.0"
COMMENT = "restores WWW-Authenticate, by homeport"
NO_FUNCTION, IN_USE, THERE = "NoSuchFunctionExists", "FunctionInUse", "FunctionAlreadyExists"


def challenge_code() -> bytes:
    return infra_file("aws/challenge.js").read_bytes()


def challenge_arn(place: Place) -> str:
    return global_arn(place, "cloudfront", f"function/{_name()}")


def make_challenge(aws: AWS) -> None:
    """Creates and publishes the function, if that was not done before."""
    config = {"Comment": COMMENT, "Runtime": RUNTIME}
    with absent(THERE):
        aws.fronts.create_function(Name=_name(), FunctionConfig=config, FunctionCode=challenge_code())
    # A deploy that was killed may have left it unpublished.
    etag = aws.fronts.describe_function(Name=_name(), Stage="DEVELOPMENT")["ETag"]
    aws.fronts.publish_function(Name=_name(), IfMatch=etag)


def remove_challenge(aws: AWS, arn: str) -> None:
    """Deletes such a function unless the distribution of another project has it."""
    name = arn.rpartition("/")[2]
    if not name.startswith(CHALLENGE):
        return
    with absent(NO_FUNCTION, IN_USE):
        etag = aws.fronts.describe_function(Name=name, Stage="DEVELOPMENT")["ETag"]
        aws.fronts.delete_function(Name=name, IfMatch=etag)


def _name() -> str:
    return f"{CHALLENGE}{hashlib.sha256(challenge_code()).hexdigest()[:16]}"
