"""Checks what a deploy does to an account, and what it leaves alone there: permissions, marks, stages, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.targets.aws_lambda.challenges import challenge_arn, make_challenge, remove_challenge
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import TRUST
from platform_cli.targets.aws_lambda.names import POLICY, TAG, function_name, role_name
from platform_cli.targets.aws_lambda.places import arn
from tests.support import CommandFailedError

if TYPE_CHECKING:
    from .acceptance import Acceptance

ACTION, PURPOSE = "s3:GetObject", "homeport acceptance"
# What the example's fastmcp.toml gets for these checks, below [deployment.lambda].
CONFIG = f"""
permissions = [{{ actions = ["{ACTION}"], resources = ["arn:aws:s3:::homeport-acceptance/*"] }}]
tags = {{ purpose = "{PURPOSE}" }}

[stages.staging.environment]
STAGE = "staging"
"""
BROKEN = """
import os

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    raise RuntimeError("it starts everywhere but on Lambda")
"""
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
REFUSAL: dict[str, Any] = {
    "version": "1.0",
    "context": {"eventType": "viewer-response"},
    "viewer": {"ip": "192.0.2.1"},
    "request": {"method": "POST", "uri": "/mcp", "querystring": {}, "headers": {}, "cookies": {}},
    "response": {
        "statusCode": 200,
        "statusDescription": "OK",
        "headers": {"x-homeport-status": {"value": "403"}, "x-homeport-challenge": {"value": 'Bearer scope="write"'}},
        "cookies": {},
    },
}


def gives_what_is_asked_for(acceptance: Acceptance) -> None:
    aws = AWS(None)
    role = role_name(acceptance.project, aws.region)
    document = aws.roles.get_role_policy(RoleName=role, PolicyName=POLICY)["PolicyDocument"]
    assert any(ACTION in statement["Action"] for statement in document["Statement"]), document
    tags = aws.functions.list_tags(Resource=arn(aws, "lambda", f"function:{function_name(acceptance.project)}"))["Tags"]
    assert (tags["purpose"], tags[TAG]) == (PURPOSE, acceptance.project), tags


def leaves_alone_what_is_anothers(acceptance: Acceptance) -> None:
    aws, project = AWS(None), f"{acceptance.project}-theirs"
    role = role_name(project, aws.region)
    aws.roles.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    try:
        said = refusal(acceptance, "deploy", str(acceptance.folder), "--name", project)
        assert "not made by homeport" in said, said
        assert aws.roles.list_role_policies(RoleName=role)["PolicyNames"] == []
    finally:
        aws.roles.delete_role(RoleName=role)


def keeps_what_serves(acceptance: Acceptance) -> None:
    before = acceptance.platform.run("status", acceptance.project)["release"]
    server = acceptance.folder / "server.py"
    source = server.read_text()
    server.write_text(f"{BROKEN}\n{source}")
    try:
        said = refusal(acceptance, "deploy", str(acceptance.folder), "--name", acceptance.project)
    finally:
        server.write_text(source)
    assert "it starts everywhere but on Lambda" in said, said
    assert acceptance.platform.run("status", acceptance.project)["release"] == before
    assert "add_expense" in acceptance.tools()


def promotes(acceptance: Acceptance) -> None:
    place, name = str(acceptance.folder), acceptance.project
    staged = acceptance.platform.run("deploy", place, "--name", name, "--stage", "staging")
    assert staged["project"] == f"{name}-staging", staged
    promoted = acceptance.platform.run("promote", "staging", "production", place, "--name", name)
    assert (promoted["project"], promoted["from"]) == (name, f"{name}-staging {staged['release']}"), promoted
    assert "count" in acceptance.tools(), "it is the staged release that answers"


def restores_refusals(acceptance: Acceptance) -> None:
    """Asserts that CloudFront's own runtime lets the function of names of one's own set status and challenge."""
    aws = AWS(None)
    make_challenge(aws)
    try:
        name = challenge_arn(aws).rpartition("/")[2]
        etag = aws.fronts.describe_function(Name=name, Stage="LIVE")["ETag"]
        event = json.dumps(REFUSAL).encode()
        result = aws.fronts.test_function(Name=name, IfMatch=etag, Stage="LIVE", EventObject=event)["TestResult"]
        assert not result.get("FunctionErrorMessage"), result
        response = json.loads(result["FunctionOutput"])["response"]
        assert response["statusCode"] == 403, response
        assert response["headers"]["www-authenticate"]["value"] == 'Bearer scope="write"', response
    finally:
        remove_challenge(aws, challenge_arn(aws))


def refusal(acceptance: Acceptance, *command: str) -> str:
    """Returns why a command was refused."""
    try:
        answer = acceptance.platform.run(*command)
    except CommandFailedError as error:
        return str(error.error["message"])
    raise AssertionError(f"it was not refused: {answer}")


def configure(folder: Path, architecture: str) -> None:
    """Adds to the example's fastmcp.toml what the checks look for."""
    with (folder / "fastmcp.toml").open("a") as file:
        file.write(f'\n[deployment.lambda]\narchitecture = "{architecture}"\n{CONFIG}')
