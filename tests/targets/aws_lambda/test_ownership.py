"""Tests what is homeport's, and what only has a name as homeport would give it: the first alone is used and deleted, in
its region alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import InputError, NotFoundError
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.creation import make_table
from platform_cli.targets.aws_lambda.desired import MAILBOX, TRUST, function_policy
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.names import MAX_NAME, MAX_PROJECT, role_name
from platform_cli.targets.aws_lambda.places import arn
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane
from tests.aws.moto_server import REGION

from .hand_made import deploy, hand_made

ELSEWHERE = "us-east-1"
OTHER_TRUST = json.dumps(TRUST).replace("lambda.amazonaws.com", "ec2.amazonaws.com")


def role(plane: ControlPlane, name: str) -> dict[str, Any]:
    iam = plane.moto.client("iam")
    found: dict[str, Any] = iam.get_role_policy(RoleName=name, PolicyName="homeport")["PolicyDocument"]
    return found


def test_a_project_of_two_regions_is_two_projects(unasked: ControlPlane, tmp_path: Path) -> None:
    here, there = AWS(REGION), AWS(ELSEWHERE)
    deploy(here, hand_made(tmp_path, "double"))
    before = role(unasked, f"homeport-double.{REGION}")
    deploy(there, hand_made(tmp_path, "double"))
    assert role(unasked, f"homeport-double.{REGION}") == before
    assert ELSEWHERE in str(role(unasked, f"homeport-double.{ELSEWHERE}"))
    LambdaTarget(there).destroy("double")
    assert LambdaTarget(there).list_projects() == []
    assert role(unasked, f"homeport-double.{REGION}") == before
    assert LambdaTarget(here).status("double")["release"] == "v1"
    LambdaTarget(here).destroy("double")


@pytest.mark.parametrize("region", [REGION, "ap-southeast-1", "us-gov-west-1"])
def test_a_roles_name_has_room_for_any_project_and_region(region: str) -> None:
    names = {role_name(letter * MAX_PROJECT, region) for letter in "ab"}
    assert {len(name) for name in names} == {MAX_NAME}
    assert len({name.removesuffix(f".{region}") for name in names}) == 2


def test_a_role_of_an_early_homeport_goes_with_its_project_in_its_region(unasked: ControlPlane, tmp_path: Path) -> None:
    here, there, iam = AWS(REGION), AWS(ELSEWHERE), unasked.moto.client("iam")
    tags = [{"Key": "homeport:project", "Value": "early"}]
    iam.create_role(RoleName="homeport-early", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=tags)
    document = json.dumps(function_policy(here, "early", []))
    iam.put_role_policy(RoleName="homeport-early", PolicyName="homeport", PolicyDocument=document)
    deploy(here, hand_made(tmp_path, "early"))
    deploy(there, hand_made(tmp_path, "early"))
    LambdaTarget(there).destroy("early")
    assert role(unasked, "homeport-early") == json.loads(document)
    assert f"role/homeport-early.{REGION}" in str(read_live(here, "early").function)
    LambdaTarget(here).destroy("early")
    assert "homeport-early" not in str(iam.list_roles())


def foreign_table(plane: ControlPlane, name: str) -> Callable[[], object]:
    tables = plane.moto.client("dynamodb")
    keys = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "Tags": [{"Key": "homeport:project", "Value": name}],
    }
    tables.create_table(TableName=f"homeport-{name}", BillingMode="PAY_PER_REQUEST", **keys)
    tables.put_item(TableName=f"homeport-{name}", Item={"id": {"S": "theirs"}})
    return lambda: tables.get_item(TableName=f"homeport-{name}", Key={"id": {"S": "theirs"}})["Item"]


def unmarked_table(plane: ControlPlane, name: str) -> Callable[[], object]:
    tables = plane.moto.client("dynamodb")
    tables.create_table(TableName=f"homeport-{name}", **MAILBOX)
    return lambda: tables.describe_table(TableName=f"homeport-{name}")["Table"]["KeySchema"]


def unmarked_role(plane: ControlPlane, name: str) -> Callable[[], object]:
    return _role(plane, name, json.dumps(TRUST), [])


def trusting_role(plane: ControlPlane, name: str) -> Callable[[], object]:
    return _role(plane, name, OTHER_TRUST, [{"Key": "homeport:project", "Value": name}])


def _role(plane: ControlPlane, name: str, trust: str, tags: list[dict[str, str]]) -> Callable[[], object]:
    iam, named = plane.moto.client("iam"), f"homeport-{name}.{REGION}"
    iam.create_role(RoleName=named, AssumeRolePolicyDocument=trust, Tags=tags)
    return lambda: (iam.get_role(RoleName=named)["Role"], iam.list_role_policies(RoleName=named)["PolicyNames"])


def foreign_function(plane: ControlPlane, name: str) -> Callable[[], object]:
    iam, functions = plane.moto.client("iam"), plane.moto.client("lambda")
    others = iam.create_role(RoleName=f"{name}-of-others", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName=f"homeport-{name}", Runtime="python3.12", Role=others, Handler="a.b", Code={"ZipFile": b"theirs"}
    )
    return lambda: functions.get_function_configuration(FunctionName=f"homeport-{name}")["CodeSha256"]


@pytest.mark.parametrize(
    "make",
    [foreign_table, unmarked_table, unmarked_role, trusting_role, foreign_function],
    ids=lambda make: make.__name__,
)
def test_what_is_not_homeports_is_neither_used_nor_deleted(
    unasked: ControlPlane, tmp_path: Path, make: Callable[[ControlPlane, str], Callable[[], object]]
) -> None:
    aws, name = AWS(None), make.__name__.replace("_", "-")
    look = make(unasked, name)
    before = look()
    unasked.calls.clear()
    with pytest.raises(InputError, match="not made by homeport"):
        make_plan(aws, hand_made(tmp_path, name))
    with pytest.raises(InputError, match="not made by homeport"):
        LambdaTarget(aws).destroy(name)
    assert name not in [one["project"] for one in LambdaTarget(aws).list_projects()]
    with pytest.raises(NotFoundError):
        LambdaTarget(aws).status(name)
    assert (look(), unasked.calls) == (before, [])


def test_the_end_of_a_project_leaves_what_others_made_beside_it(unasked: ControlPlane, tmp_path: Path) -> None:
    """Others have replaced a table by hand, and made a secret and a log group that are not homeport's."""
    aws, moto = AWS(None), unasked.moto.client
    deploy(aws, hand_made(tmp_path, "mixed"))
    moto("dynamodb").delete_table(TableName="homeport-mixed")
    look = foreign_table(unasked, "mixed")
    moto("secretsmanager").create_secret(Name="homeport/mixed", SecretString="theirs")
    group = arn(aws, "logs", "log-group:/aws/lambda/homeport-mixed")
    moto("logs").untag_resource(resourceArn=group, tagKeys=["homeport:project"])
    removal = LambdaTarget(aws).removal("mixed")
    assert len(removal.kept) == 3
    LambdaTarget(aws).destroy("mixed")
    assert look()
    assert moto("secretsmanager").get_secret_value(SecretId="homeport/mixed")["SecretString"] == "theirs"
    assert moto("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/homeport-mixed")["logGroups"]
    assert "homeport-mixed" not in str([moto("iam").list_roles(), moto("lambda").list_functions()])


def test_policies_that_were_attached_by_hand_are_named_and_detached_before_anything_goes(
    unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, iam = AWS(None), unasked.moto.client("iam")
    deploy(aws, hand_made(tmp_path, "reads"))
    named, document = f"homeport-reads.{REGION}", json.dumps(function_policy(aws, "reads", []))
    attached = iam.create_policy(PolicyName="theirs", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=named, PolicyArn=attached)
    iam.put_role_policy(RoleName=named, PolicyName="more", PolicyDocument=document)
    assert f"role {named}, from which theirs, more is detached" in LambdaTarget(aws).removal("reads").gone
    unasked.calls.clear()

    def refuse(**_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(aws.roles, "detach_role_policy", refuse)
    with pytest.raises(PermissionError):
        LambdaTarget(aws).destroy("reads")
    assert [call for call in unasked.calls if "DELETE" in call or ".Delete" in call or " Delete" in call] == [
        "POST / DeleteLogStream"
    ], "the lock alone"
    LambdaTarget(AWS(None)).destroy("reads")
    assert named not in str(iam.list_roles())
    iam.delete_policy(PolicyArn=attached)


def test_versions_and_descriptions_that_people_made_are_passed_over_and_shown(
    unasked: ControlPlane, tmp_path: Path
) -> None:
    aws, functions = AWS(None), unasked.moto.client("lambda")
    target, name = LambdaTarget(aws), "homeport-touched"
    deploy(aws, hand_made(tmp_path, "touched"))
    deploy(aws, hand_made(tmp_path, "touched"))
    functions.update_function_configuration(FunctionName=name, Timeout=99)
    by_hand = functions.publish_version(FunctionName=name, Description="v7 for the demo")["Version"]
    status = target.status("touched")
    assert (status["release"], status["hand_made"]) == ("v2", [{"version": by_hand, "description": "v7 for the demo"}])
    functions.update_alias(FunctionName=name, Name="live", Description="production")
    assert [one["release"] for one in target.versions("touched")] == ["v2", "v1"]

    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=by_hand)
    assert target.status("touched")["state"] == f"serving version {by_hand}, published by hand"
    assert "touched" in [one["project"] for one in target.list_projects()]
    with pytest.raises(InputError, match=f"leads to version {by_hand}, which homeport did not publish"):
        target.renew_token("touched")
    assert target.rollback("touched", None)["release"] == "v2"
    deploy(aws, hand_made(tmp_path, "touched"))
    assert [one["release"] for one in target.versions("touched")] == ["v3", "v2", "v1"]
    assert by_hand in [one["Version"] for one in functions.list_versions_by_function(FunctionName=name)["Versions"]]
    assert by_hand in str(target.removal("touched").gone)
    target.destroy("touched")


def test_a_deploy_over_a_version_that_people_made_keeps_the_token(unasked: ControlPlane, tmp_path: Path) -> None:
    aws, functions = AWS(None), unasked.moto.client("lambda")
    deploy(aws, hand_made(tmp_path, "kept"))
    before = read_live(aws, "kept").active
    functions.update_function_configuration(FunctionName="homeport-kept", Timeout=98)
    by_hand = functions.publish_version(FunctionName="homeport-kept", Description="")["Version"]
    functions.update_alias(FunctionName="homeport-kept", Name="live", FunctionVersion=by_hand)
    deploy(aws, hand_made(tmp_path, "kept"))
    after = read_live(aws, "kept").active
    assert before and after
    assert (after.release, after.token_hash) == (2, before.token_hash)
    LambdaTarget(aws).destroy("kept")


def test_a_table_that_is_being_deleted_is_waited_for(unasked: ControlPlane, tmp_path: Path) -> None:
    """DynamoDB takes a while: what a deploy finds meanwhile is not its table."""
    aws, asked = AWS(None), list[str]()
    deploy(aws, hand_made(tmp_path, "again"))
    deleted = unasked.moto.client("dynamodb").delete_table

    def describe(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "DescribeTable" and "Table" in parsed:
            asked.append(parsed["Table"]["TableStatus"])
            if len(asked) == 1:
                parsed["Table"]["TableStatus"] = "DELETING"
                deleted(TableName="homeport-again")

    aws.tables.meta.events.register("after-call.dynamodb", describe)
    make_table(aws, "homeport-again", {"homeport:project": "again"})
    assert len(asked) > 1
    assert read_live(AWS(None), "again").mailbox.value == "there"
    LambdaTarget(AWS(None)).destroy("again")
