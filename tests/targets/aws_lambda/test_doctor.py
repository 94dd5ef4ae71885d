"""Tests `doctor --target lambda`: one finding for each thing that a deploy would run into."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from platform_cli.config.project import LambdaSettings, Network
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.doctor_organization import check_public_url, check_security_hub
from platform_cli.targets.aws_lambda.doctor_settings import check_settings
from platform_cli.targets.aws_lambda.permissions import needed
from tests.aws.control_plane import ControlPlane
from tests.command_line import Command
from tests.support import ROOT, Platform

NAMES = ["python", "uv", "region", "clock", "credentials", "permissions", "public URL", "concurrency", "storage"]
SERVICES = {"functions": "lambda", "roles": "iam", "logs": "logs", "buckets": "s3", "metrics": "cloudwatch",
            "fronts": "cloudfront", "certificates": "acm"}  # fmt: skip
# Calls without a permission of their name (a part of another call, boto3's own helper, asked for by another name), or
# for a platform's builder alone.
OTHER = {"lambda:Invoke", "s3:UploadFile", "lambda:GetWaiter", "lambda:GetPaginator", "logs:GetPaginator",
         "iam:GetPaginator", "iam:SimulatePrincipalPolicy", "s3:PutBucketLifecycleConfiguration",
         "iam:PutRolePermissionsBoundary", "iam:GetPolicy", "cloudfront:GetWaiter", "cloudfront:GetPaginator",
         "cloudfront:CreateDistributionWithTags"}  # fmt: skip


# The trust policy of a role for machines.
EC2 = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


@pytest.fixture(autouse=True)
def sound(plane: ControlPlane) -> Iterator[None]:
    yield
    plane.denied, plane.clock_skew_s, plane.expired = set(), 0.0, False


def doctor(laptop: Platform, **environment: str) -> tuple[int, dict[str, Any]]:
    """Returns the exit code, and the checks by their names."""
    command = ["doctor", "--target", "lambda", "--json"]
    done = Command(command, cwd=ROOT, env={**laptop.environment, **environment}).wait(120)
    assert "Traceback" not in done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_a_sound_account(laptop: Platform, plane: ControlPlane) -> None:
    plane.calls.clear()
    code, checks = doctor(laptop)
    assert (code, list(checks)) == (0, NAMES)
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert "from environment variables" in checks["credentials"]["detail"]
    changing = [call for call in plane.calls if "Simulate" not in call]
    assert changing == ["HEAD / ", "POST /2021-10-31/functions/homeport-doctor_asks/url "], (
        "and that function is not there"
    )


def test_what_is_denied_is_named_and_so_is_what_could_not_be_checked(laptop: Platform, plane: ControlPlane) -> None:
    plane.denied = {"lambda:PublishVersion", "iam:PassRole"}
    code, checks = doctor(laptop)
    assert (code, checks["permissions"]["status"]) == (1, "problem")
    assert checks["permissions"]["detail"] == "not allowed: lambda:PublishVersion, iam:PassRole"
    plane.denied = None
    code, checks = doctor(laptop)
    assert (code, checks["permissions"]["status"]) == (0, "warning")
    assert "could not be checked (AccessDenied)" in checks["permissions"]["detail"]
    assert "lambda:PublishVersion" in checks["permissions"]["detail"]


def test_a_clock_that_aws_would_refuse(laptop: Platform, plane: ControlPlane) -> None:
    plane.clock_skew_s = 3600.0
    code, checks = doctor(laptop)
    assert (code, checks["clock"]["status"], "permissions" in checks) == (1, "problem", False)


def test_an_assumed_role_is_asked_for_by_its_own_name(laptop: Platform, plane: ControlPlane) -> None:
    role = plane.moto.client("iam").create_role(RoleName="deployer", Path="/team/", AssumeRolePolicyDocument="{}")
    arn = role["Role"]["Arn"]
    given = plane.moto.client("sts").assume_role(RoleArn=arn, RoleSessionName="ci")["Credentials"]
    key, secret, token = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    _code, checks = doctor(laptop, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_SESSION_TOKEN=token)
    assert ":assumed-role/deployer/ci, from environment variables" in checks["credentials"]["detail"]
    assert plane.simulated_for == arn


def test_credentials_that_have_expired(laptop: Platform, plane: ControlPlane) -> None:
    plane.expired = True
    code, checks = doctor(laptop)
    assert (code, list(checks)[-1], "ExpiredToken" in checks["credentials"]["detail"]) == (1, "credentials", True)
    assert "aws sso login" in checks["credentials"]["fix"]


def test_no_credentials_and_no_region(laptop: Platform) -> None:
    nowhere = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    files = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    code, checks = doctor(laptop, **nowhere, **files)
    assert (code, checks["credentials"]["detail"]) == (1, "there are none")
    code, checks = doctor(laptop, AWS_REGION="", AWS_DEFAULT_REGION="", **files)
    assert (code, checks["region"]["status"], list(checks)[-1]) == (1, "problem", "region")


def test_what_a_project_asks_for_is_looked_for(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in plane.moto.environment.items():
        monkeypatch.setenv(name, value)
    aws, ec2 = AWS(None), plane.moto.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="asked", Description="-", VpcId=network)["GroupId"]
    other = ec2.create_security_group(GroupName="elsewhere", Description="-")["GroupId"]
    role = plane.moto.client("iam").create_role(RoleName="ec2s", AssumeRolePolicyDocument=json.dumps(EC2))["Role"][
        "Arn"
    ]
    key = plane.moto.client("kms").create_key()["KeyMetadata"]["Arn"]
    settings = LambdaSettings(
        policies=("arn:aws:iam::123456789012:policy/nowhere",),
        role=role,
        vpc=Network((subnet,), (group,)),
        layers=("arn:aws:lambda:eu-central-1:123456789012:layer:nowhere:1",),
        kms_key=key,
    )
    found = {check.name: check for check in check_settings(aws, settings)}
    assert {name: check.status for name, check in found.items()} == {
        "policy": "problem",
        "role": "problem",
        "vpc": "ok",
        "vpc's way out": "warning",
        "layer": "problem",
        "kms_key": "ok",
    }
    assert "does not let Lambda take it" in found["role"].detail
    assert "no endpoint of dynamodb and secretsmanager" in found["vpc's way out"].detail
    apart, *_ = check_settings(aws, LambdaSettings(vpc=Network((subnet,), (other,))))
    assert (apart.status, "are in 2 networks" in apart.detail) == ("problem", True)
    assert list(check_settings(aws, LambdaSettings())) == []


def test_what_an_organization_denies_is_a_problem_and_lambda_1_is_told(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in plane.moto.environment.items():
        monkeypatch.setenv(name, value)
    aws, hub = AWS(None), plane.moto.client("securityhub")
    assert (check_public_url(aws).status, list(check_security_hub(aws))) == ("ok", [])

    def denied(**_: object) -> None:
        message = "... with an explicit deny in a service control policy"
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "CreateFunctionUrlConfig")

    monkeypatch.setattr(aws.functions, "create_function_url_config", denied)
    assert check_public_url(aws).status == "problem"
    hub.enable_security_hub()
    (check,) = check_security_hub(aws)
    assert (check.status, "Lambda.1" in check.detail) == ("warning", True)
    hub.disable_security_hub()


def test_every_call_of_the_target_is_among_the_permissions() -> None:
    class Place:
        partition, region, account = "aws", "eu-central-1", "123456789012"

    asked = {action for actions in needed(Place(), fronted=True).values() for action in actions}
    sources = "".join(path.read_text() for path in (ROOT / "platform_cli/targets/aws_lambda").glob("*.py"))
    called = {
        f"{SERVICES[service]}:{method.title().replace('_', '')}"
        for service, method in re.findall(rf"\b({'|'.join(SERVICES)})\.([a-z_]+)\(", sources)
    }
    assert called - OTHER - asked == set()
