"""Tests deploys and destroys that are killed after each change that they make on AWS, and run again.

In this process, and with handshakes that nobody is asked for: as many sandboxes and processes would take minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.config.project import Scaling
from platform_cli.errors import NotFoundError
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import DesiredState
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.secrets import pin_of
from platform_cli.targets.aws_lambda.secrets_manager import ProjectSecrets
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ACCOUNT, ControlPlane
from tests.aws.mortal import Mortal
from tests.aws.moto_server import REGION

from .hand_made import deploy, hand_made

pytestmark = pytest.mark.whole
NAME, BUCKET = "mortal", f"homeport-{ACCOUNT}-{REGION}"


@pytest.fixture
def mortal(unasked: ControlPlane) -> Mortal:
    return Mortal()


@pytest.fixture
def make(mortal: Mortal, tmp_path: Path) -> Callable[[], DesiredState]:
    """Returns what a deploy is to make: each time another release, with layers of its own, and a secret."""

    def make() -> DesiredState:
        secrets = ProjectSecrets(mortal.aws, NAME)
        secrets.set({"WORD": "hidden"})
        now = secrets.current()
        assert now is not None
        return replace(hand_made(tmp_path, NAME), scaling=Scaling(min=1, max=2), secrets=pin_of(now, ("WORD",)))

    return make


def destroy(aws: AWS) -> None:
    LambdaTarget(aws).destroy(NAME)


def left(plane: ControlPlane) -> list[str]:
    """Returns what is left of the project's, and the bucket."""
    moto = plane.moto.client
    newest = [one["LatestMatchingVersion"] for one in moto("lambda").list_layers()["Layers"]]
    found: list[str] = [
        *(one["FunctionName"] for one in moto("lambda").list_functions()["Functions"]),
        *(one["RoleName"] for one in moto("iam").list_roles()["Roles"]),
        *(one["logGroupName"] for one in moto("logs").describe_log_groups()["logGroups"]),
        *(one["Name"] for one in moto("secretsmanager").list_secrets()["SecretList"]),
        *(f"{one['LayerVersionArn']} {one.get('Description')}" for one in newest),
        *moto("dynamodb").list_tables()["TableNames"],
    ]
    buckets = [one["Name"] for one in moto("s3").list_buckets()["Buckets"] if one["Name"] == BUCKET]
    return [name for name in found if name.removesuffix(f".{REGION}").endswith(NAME)] + buckets


def test_a_destroy_that_is_killed_is_finished_by_the_next(
    plane: ControlPlane, mortal: Mortal, make: Callable[[], DesiredState]
) -> None:
    def deploy_by_way_of_s3() -> None:
        place = {"LocationConstraint": REGION}
        plane.moto.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        deploy(mortal.aws, make())

    deploy_by_way_of_s3()
    assert len(left(plane)) == 8
    for _ in mortal.deaths(destroy):
        if left(plane):
            destroy(mortal.aws)
        assert left(plane) == []
        deploy_by_way_of_s3()
    assert left(plane) == []
    assert mortal.died > 8
    with pytest.raises(NotFoundError):
        destroy(mortal.aws)


def test_a_destroy_ends_what_a_deploy_that_was_killed_has_made(
    plane: ControlPlane, mortal: Mortal, make: Callable[[], DesiredState]
) -> None:
    for _ in mortal.deaths(lambda aws: deploy(aws, make())):
        destroy(mortal.aws)
        assert left(plane) == []
    assert mortal.died > 12
    destroy(mortal.aws)


def test_a_deploy_that_is_killed_is_finished_by_the_next(
    plane: ControlPlane, mortal: Mortal, make: Callable[[], DesiredState]
) -> None:
    made = [make()]
    for _ in mortal.deaths(lambda aws: deploy(aws, made[-1])):
        deploy(mortal.aws, made[-1])
        live = read_live(mortal.aws, NAME)
        assert live.active == live.versions[-1] == live.releases[-1]
        assert (live.leftover, live.kept_ready, live.reserved, live.url is not None) == ((), 1, 2, True)
        assert make_plan(mortal.aws, made[-1]).steps == ()
        made.append(make())
    assert mortal.died > 5
    destroy(mortal.aws)
    assert left(plane) == []
