"""Tests what a project asks of AWS beside what homeport needs: its role, its network, its layers, its key, its tags."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.aws_platform.team_statements import check_within_boundary
from platform_cli.config.project import LambdaSettings
from platform_cli.config.toml import read_toml
from platform_cli.errors import ConfigError
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import TRUST, function_policy
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane
from tests.aws.moto_server import REGION

from .hand_made import deploy, hand_made

TOML = """
[deployment]
entrypoint = "server.py"
[deployment.lambda]
permissions = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::reports/*"] }]
policies = ["arn:aws:iam::123456789012:policy/reports"]
boundary = "arn:aws:iam::123456789012:policy/limits"
vpc = { subnets = ["subnet-1"], security_groups = ["sg-1"] }
kms_key = "arn:aws:kms:eu-central-1:123456789012:key/0a1b"
tags = { team = "payments" }
"""


def settings(folder: Path, text: str = TOML) -> LambdaSettings:
    (folder / "fastmcp.toml").write_text(text)
    return read_toml(folder / "fastmcp.toml").on_lambda


def test_a_project_has_what_it_asks_for_and_loses_it_again(unasked: ControlPlane, tmp_path: Path) -> None:
    aws, moto = AWS(None), unasked.moto.client
    iam, ec2, document = moto("iam"), moto("ec2"), json.dumps(function_policy(aws, "asks", []))
    policies = {name: iam.create_policy(PolicyName=name, PolicyDocument=document) for name in ("reports", "limits")}
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="reports", Description="-", VpcId=vpc)["GroupId"]
    asked = settings(tmp_path, TOML.replace("subnet-1", subnet).replace("sg-1", group))
    plain = hand_made(tmp_path, "asks")
    deploy(aws, plain)
    desired = replace(plain, settings=asked)
    assert desired.identity != plain.identity, "it is a release of its own"
    deploy(aws, desired)
    assert make_plan(aws, desired).steps == ()

    name = f"homeport-asks.{REGION}"
    role, live = iam.get_role(RoleName=name)["Role"], read_live(aws, "asks")
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == policies["limits"]["Policy"]["Arn"]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["reports"]
    allowed = str(live.policy)
    assert all(action in allowed for action in ("s3:GetObject", "ec2:CreateNetworkInterface", "kms:Decrypt"))
    assert live.function is not None
    assert live.function["VpcConfig"]["SubnetIds"] == [subnet]
    # moto forgets it.
    assert desired.configuration("role", [], {})["KMSKeyArn"] == asked.kms_key
    tags = moto("lambda").list_tags(Resource=live.function["FunctionArn"])["Tags"]
    assert (tags["team"], tags["homeport:project"]) == ("payments", "asks")

    # Another role's permissions alone are no release.
    fewer = replace(desired, settings=replace(asked, permissions=(), policies=()))
    assert [step.name for step in make_plan(aws, fewer).steps] == ["role"]
    deploy(aws, fewer)
    assert "s3:GetObject" not in str(read_live(aws, "asks").policy)
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    LambdaTarget(aws).rollback("asks", 1)
    deploy(aws, plain)
    assert read_live(aws, "asks").active is not None
    LambdaTarget(aws).destroy("asks")
    assert iam.get_policy(PolicyArn=policies["reports"]["Policy"]["Arn"])


def test_a_role_of_ones_own_is_left_alone(unasked: ControlPlane, tmp_path: Path) -> None:
    aws, iam = AWS(None), unasked.moto.client("iam")
    own = iam.create_role(RoleName="reports-of-ours", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    desired = replace(hand_made(tmp_path, "owned"), settings=LambdaSettings(role=own))
    deploy(aws, desired)
    live = read_live(aws, "owned")
    assert live.function is not None
    assert (live.function["Role"], live.role, make_plan(aws, desired).steps) == (own, None, ())
    LambdaTarget(aws).destroy("owned")
    assert iam.get_role(RoleName="reports-of-ours")
    assert iam.list_role_policies(RoleName="reports-of-ours")["PolicyNames"] == []


@pytest.mark.parametrize(
    "line",
    [
        "permissions = [{ actions = ['s3'], resources = ['*'] }]",
        "permissions = [{ actions = ['s3:*'], resources = ['bucket'] }]",
        "permissions = [{ actions = ['s3:*'] }]",
        "permissions = [{ actions = [], resources = ['*'] }]",
        "policies = ['AdministratorAccess']",
        "role = 'arn:aws:iam::12:role/short'",
        "vpc = { subnets = ['subnet-1'] }",
        "layers = ['arn:aws:lambda:eu-central-1:123456789012:layer:otel']",
        "kms_key = 'alias/key'",
        "tags = { 'homeport:project' = 'x' }",
        "tags = { 'aws:x' = 'x' }",
    ],
)
def test_what_aws_would_not_take_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=r"fastmcp\.toml:2: \"deployment\.lambda\."):
        settings(tmp_path, f"[deployment.lambda]\n{line}\n")


def test_the_platforms_boundary_has_no_room_for_more(tmp_path: Path) -> None:
    check_within_boundary(LambdaSettings(tags={"team": "payments"}), ())
    with pytest.raises(ConfigError, match="goes beyond"):
        check_within_boundary(settings(tmp_path), ())
