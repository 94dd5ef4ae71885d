"""doctor --target lambda: one finding for each thing that a deploy would run into."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from platform_cli.targets.aws_lambda.permissions import needed
from tests.aws.control_plane import ControlPlane
from tests.support import ROOT, Platform

NAMES = ["python", "uv", "region", "clock", "credentials", "permissions", "concurrency", "storage"]
SERVICES = {"functions": "lambda", "roles": "iam", "logs": "logs", "buckets": "s3", "metrics": "cloudwatch"}
# No permission has its name (a part of another call, boto3's own helper, asked for by another name); or it is for a
# platform's builder alone.
OTHER = {"lambda:Invoke", "s3:UploadFile", "lambda:GetWaiter", "lambda:GetPaginator", "logs:GetPaginator",
         "iam:GetPaginator", "iam:SimulatePrincipalPolicy", "s3:PutBucketLifecycleConfiguration",
         "iam:PutRolePermissionsBoundary"}  # fmt: skip


@pytest.fixture(autouse=True)
def sound(plane: ControlPlane) -> Iterator[None]:
    yield
    plane.denied, plane.clock_skew_s, plane.expired = set(), 0.0, False


def doctor(laptop: Platform, **environment: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the checks by their names."""
    done = subprocess.run(
        [sys.executable, "-m", "platform_cli", "doctor", "--target", "lambda", "--json"],
        env={**laptop.environment, **environment}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_a_sound_account(laptop: Platform, plane: ControlPlane) -> None:
    plane.calls.clear()
    code, checks = doctor(laptop)
    assert (code, list(checks)) == (0, NAMES)
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert "from environment variables" in checks["credentials"]["detail"]
    assert [call for call in plane.calls if "Simulate" not in call] == ["HEAD / "], "nothing was changed"


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


def test_every_call_of_the_target_is_among_the_permissions() -> None:
    class Place:
        partition, region, account = "aws", "eu-central-1", "123456789012"

    asked = {action for actions in needed(Place()).values() for action in actions}
    sources = "".join(path.read_text() for path in (ROOT / "platform_cli/targets/aws_lambda").glob("*.py"))
    called = {
        f"{SERVICES[service]}:{method.title().replace('_', '')}"
        for service, method in re.findall(r"\b(functions|roles|logs|buckets|metrics)\.([a-z_]+)\(", sources)
    }
    assert called - OTHER - asked == set()
