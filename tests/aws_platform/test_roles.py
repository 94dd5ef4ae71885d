"""Tests what the platform's functions may do, and above all what they may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_cli.aws_platform.boundary import (
    BoundaryResource,
    allowed_by_team,
    boundary_arn,
    boundary_policy,
    remove_boundary,
)
from platform_cli.aws_platform.names import BUILDER, TABLE, WEB, in_region
from platform_cli.aws_platform.roles import builder_policy, web_policy
from platform_cli.aws_platform.team_statements import check_within_boundary, read_statements
from platform_cli.config.project import LambdaSettings, Network, Statement
from platform_cli.errors import ConfigError, InputError
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.creation import make_role
from platform_cli.targets.aws_lambda.desired import function_policy
from platform_cli.targets.aws_lambda.places import NamedPlace, arn, iam_arn
from tests.aws import permissions
from tests.aws.moto_server import REGION, Moto
from tests.aws.permissions import ACCOUNT, Need, allows

PLACE = NamedPlace("aws", REGION, ACCOUNT)
WITHIN = {permissions.BOUNDARY: boundary_arn(PLACE)}


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    yield AWS(None)


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])
def test_the_builder_gives_permissions_to_bounded_roles_alone(action: str) -> None:
    role = iam_arn(PLACE, "role/homeport-one")
    asked = [WITHIN, {}, {permissions.BOUNDARY: iam_arn(PLACE, "policy/another")}]
    assert [allows(builder_policy(PLACE), Need(action, role, context)) for context in asked] == [True, False, False]


def test_the_builder_cannot_change_the_platform() -> None:
    log_group = arn(PLACE, "logs", f"log-group:/aws/lambda/{WEB}")
    for action, resource in (
        ("iam:PutRolePolicy", iam_arn(PLACE, f"role/{in_region(BUILDER, REGION)}")),
        ("iam:DeleteRolePermissionsBoundary", iam_arn(PLACE, "role/homeport-one")),
        ("iam:CreatePolicyVersion", boundary_arn(PLACE)),
        ("iam:PassRole", iam_arn(PLACE, f"role/{in_region(BUILDER, REGION)}")),
        ("iam:PassRole", iam_arn(PLACE, "role/admin")),
        ("lambda:UpdateFunctionCode", arn(PLACE, "lambda", f"function:{WEB}")),
        ("dynamodb:DeleteTable", arn(PLACE, "dynamodb", f"table/{TABLE}")),
        ("secretsmanager:PutSecretValue", arn(PLACE, "secretsmanager", "secret:homeport_platform/github/1-AbCdEf")),
        ("secretsmanager:GetSecretValue", arn(PLACE, "secretsmanager", "secret:theirs-AbCdEf")),
        ("logs:DeleteLogGroup", log_group),
    ):
        context = WITHIN | {"iam:PassedToService": "lambda.amazonaws.com"}
        assert not allows(builder_policy(PLACE), Need(action, resource, context)), action


def test_what_the_world_sees_changes_no_project() -> None:
    actions = {action for statement in web_policy(PLACE)["Statement"] for action in statement["Action"]}
    looks = ("Get", "List", "Describe", "Query")
    assert {action for action in actions if not action.partition(":")[2].startswith(looks)} == {
        "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "logs:CreateLogStream", "logs:PutLogEvents",
        "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource", "sqs:SendMessage",
    }  # fmt: skip
    for service, resource in (("dynamodb", "table/homeport-one"), ("secretsmanager", "secret:homeport/one-AbCdEf")):
        for action in ("PutItem", "GetItem", "GetSecretValue", "DeleteSecret"):
            assert not allows(web_policy(PLACE), Need(f"{service}:{action}", arn(PLACE, service, resource)))


def test_the_boundary_is_what_projects_functions_do() -> None:
    secret = arn(PLACE, "secretsmanager", "secret:homeport/one-AbCdEf")
    for statement in function_policy(PLACE, "one", [secret])["Statement"]:
        for action in statement["Action"]:
            assert allows(boundary_policy(PLACE), Need(action, statement["Resource"])), action
    for action, resource in (
        ("iam:CreateRole", iam_arn(PLACE, "role/homeport-one")),
        ("dynamodb:PutItem", arn(PLACE, "dynamodb", f"table/{TABLE}")),
        ("secretsmanager:GetSecretValue", arn(PLACE, "secretsmanager", "secret:homeport_platform/github/1-AbCdEf")),
    ):
        assert not allows(boundary_policy(PLACE), Need(action, resource)), action


def test_a_role_that_a_laptop_made_is_bounded_before_it_gets_permissions(aws: AWS) -> None:
    name, asked = "homeport-by-hand", list[str]()

    def note(model: Any, **_: Any) -> None:
        asked.append(model.name)

    boundary = BoundaryResource(aws)
    assert boundary.state() == "missing"
    boundary.make()
    make_role(aws, name, function_policy(aws, "by-hand", []), {})
    aws.roles.meta.events.register("before-call.iam", note)
    make_role(aws, name, function_policy(aws, "by-hand", []), {}, boundary_arn(aws))
    assert asked == ["CreateRole", "GetRole", "PutRolePermissionsBoundary", "PutRolePolicy"]
    role = aws.roles.get_role(RoleName=name)["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary_arn(aws)
    remove_boundary(aws)
    assert "PermissionsBoundary" not in aws.roles.get_role(RoleName=name)["Role"]
    assert boundary.state() == "missing"
    remove_boundary(aws)
    aws.roles.delete_role_policy(RoleName=name, PolicyName="homeport")
    aws.roles.delete_role(RoleName=name)


def test_a_boundary_of_another_homeport_is_renewed(aws: AWS) -> None:
    boundary = BoundaryResource(aws)
    boundary.make()
    other = json.dumps(function_policy(aws, "another", []))
    # IAM keeps five versions.
    for _ in range(6):
        aws.roles.create_policy_version(PolicyArn=boundary_arn(aws), PolicyDocument=other, SetAsDefault=True)
        assert boundary.state() == "different"
        boundary.make()
        assert boundary.state() == "there"
    remove_boundary(aws)


def test_a_team_widens_the_boundary_and_it_stays_until_it_says_otherwise(aws: AWS, tmp_path: Path) -> None:
    file = tmp_path / "allow.json"
    file.write_text(
        '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::reports/*"},'
        ' {"Effect": "Allow", "Action": ["ec2:*"], "Resource": ["*"]}]}'
    )
    wider = BoundaryResource(aws, read_statements(file))
    BoundaryResource(aws).make()
    assert wider.state() == "different"
    wider.make()
    assert (wider.state(), BoundaryResource(aws).state()) == ("there", "there"), "a deploy that says nothing keeps it"
    read = LambdaSettings(permissions=(Statement(("s3:GetObject",), ("arn:aws:s3:::reports/2026/*",)),))
    check_within_boundary(read, allowed_by_team(aws))
    check_within_boundary(LambdaSettings(vpc=Network(("subnet-1",), ("sg-1",))), allowed_by_team(aws))
    for beyond in (
        LambdaSettings(permissions=(Statement(("s3:GetObject",), ("arn:aws:s3:::others/*",)),)),
        LambdaSettings(permissions=(Statement(("bedrock:InvokeModel",), ("*",)),)),
        LambdaSettings(policies=("arn:aws:iam::aws:policy/ReadOnlyAccess",)),
    ):
        with pytest.raises(ConfigError, match="beyond"):
            check_within_boundary(beyond, allowed_by_team(aws))
    with pytest.raises(ConfigError, match="s3:GetObject on arn:aws:s3:::reports"):
        check_within_boundary(read, ())
    file.write_text('{"Statement": []}')
    narrow = BoundaryResource(aws, read_statements(file))
    assert narrow.state() == "different"
    narrow.make()
    assert allowed_by_team(aws) == []
    remove_boundary(aws)


@pytest.mark.parametrize(
    "statement",
    [
        '{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}',
        '{"Effect": "Allow", "Action": "*", "Resource": "*"}',
        '{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}',
        '{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}',
        '{"Effect": "Allow", "Action": "s3", "Resource": "*"}',
        '{"Effect": "Allow", "Action": 3, "Resource": "*"}',
        '"s3:*"',
    ],
)
def test_what_must_not_be_in_a_boundary_is_refused(tmp_path: Path, statement: str) -> None:
    (tmp_path / "allow.json").write_text(f'{{"Statement": [{statement}]}}')
    with pytest.raises(InputError):
        read_statements(tmp_path / "allow.json")
