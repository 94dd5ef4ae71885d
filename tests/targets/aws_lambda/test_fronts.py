"""Tests a project's own host names: a certificate, then a distribution, and nothing of them when names or project are
gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platform_cli.api.status import Front
from platform_cli.config.project import LambdaSettings
from platform_cli.targets.aws_lambda import certificates, distributions
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import DesiredState
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.target import LambdaTarget
from platform_cli.targets.front_lines import front_lines
from tests.aws.control_plane import ControlPlane
from tests.aws.mortal import Mortal
from tests.aws.permissions import ACCOUNT

from .hand_made import deploy, hand_made

NAME = "mcp.example.com"


@pytest.fixture
def aws(unasked: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    monkeypatch.setattr(distributions, "WAITER", {"Delay": 0, "MaxAttempts": 20})
    monkeypatch.setattr(certificates, "RECORDS_S", 1)
    yield AWS(None)


def steps(aws: AWS, desired: DesiredState) -> list[str]:
    return [step.name for step in make_plan(aws, desired).steps]


def issue() -> None:
    """As AWS does once DNS has the records."""
    from moto.acm.models import acm_backends

    for certificate in acm_backends[ACCOUNT]["us-east-1"]._certificates.values():
        certificate.status = "ISSUED"


def left(aws: AWS, plane: ControlPlane) -> tuple[int, int, int]:
    listed: dict[str, Any] = aws.fronts.list_distributions()["DistributionList"]
    asked = aws.certificates.list_certificates()["CertificateSummaryList"]
    return len(listed.get("Items", ())), len(asked), len(plane.header_policies)


def front_of(aws: AWS) -> Front:
    front = LambdaTarget(aws).status("named")["front"]
    assert front is not None
    return front


def test_names_of_ones_own_come_in_two_deploys_and_go_with_the_project(
    aws: AWS, unasked: ControlPlane, tmp_path: Path
) -> None:
    plain = hand_made(tmp_path, "named")
    deploy(aws, plain)
    desired = replace(plain, domains=(NAME, "try.example.com", "raspberrypi"))
    assert "certificate" in steps(aws, desired)
    deploy(aws, desired)
    front = front_of(aws)
    assert (front["certificate"], front["distribution"]) == ("PENDING_VALIDATION", None)
    assert front["names"] == [NAME, "try.example.com"], "nobody can prove a name of one's own network"
    assert len(front["records"]) == 2
    assert "have to be proven" in front_lines(front)[0]
    assert steps(aws, desired) == [], "there is nothing to do but wait"

    issue()
    assert steps(aws, desired) == ["front"]
    deploy(aws, desired)
    assert steps(aws, desired) == []
    front = front_of(aws)
    (made,) = aws.fronts.list_distributions()["DistributionList"]["Items"]
    assert {"type": "CNAME", "name": NAME, "value": made["DomainName"]} in front["records"]
    config = aws.fronts.get_distribution_config(Id=made["Id"])["DistributionConfig"]
    (origin,), behavior = config["Origins"]["Items"], config["DefaultCacheBehavior"]
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert (behavior["CachePolicyId"], behavior["Compress"]) == (distributions.CACHING_DISABLED, False)
    assert set(behavior["AllowedMethods"]["Items"]) == set(distributions.METHODS)
    assert left(aws, unasked) == (1, 1, 0)

    # Another name takes another certificate; until it is there the names before are served.
    other = replace(desired, domains=(NAME,))
    deploy(aws, other)
    assert left(aws, unasked) == (1, 2, 0)
    assert steps(aws, other) == []
    issue()
    deploy(aws, other)
    assert left(aws, unasked) == (1, 1, 0)
    assert front_of(aws)["names"] == [NAME]

    removal = LambdaTarget(aws).removal("named")
    assert any(made["DomainName"] in line for line in removal.gone)
    LambdaTarget(aws).destroy("named")
    assert left(aws, unasked) == (0, 0, 0)


def test_a_server_with_a_login_of_its_own_says_where_behind_its_name(
    aws: AWS, unasked: ControlPlane, tmp_path: Path
) -> None:
    desired = replace(hand_made(tmp_path, "login"), domains=(NAME,), auth="none")
    deploy(aws, desired)
    issue()
    deploy(aws, desired)
    (policy,) = unasked.header_policies.values()
    assert f"https://{NAME}/.well-known/oauth-protected-resource/mcp" in policy
    # What homeport's guard asks for has no login.
    closed = replace(desired, auth="token")
    deploy(aws, closed)
    assert (left(aws, unasked), steps(aws, closed)) == ((1, 1, 0), [])
    deploy(aws, replace(closed, domains=()))
    assert left(aws, unasked) == (0, 0, 0)
    LambdaTarget(aws).destroy("login")


@pytest.mark.whole
def test_whatever_change_a_deploy_and_a_destroy_are_killed_behind_the_next_ends_it(
    aws: AWS, unasked: ControlPlane, tmp_path: Path
) -> None:
    mortal, plain = Mortal(), hand_made(tmp_path, "mortal-front")
    desired = replace(plain, domains=(NAME,), auth="none")

    def put(aws: AWS) -> None:
        for _ in range(2):
            deploy(aws, desired)
            issue()

    def remove(aws: AWS) -> None:
        deploy(aws, replace(desired, domains=()))

    remove(aws)
    for _ in mortal.deaths(put):
        put(aws)
        assert (left(aws, unasked), steps(aws, desired)) == ((1, 1, 1), [])
        remove(aws)
    died = mortal.died
    assert died > 4
    for _ in mortal.deaths(remove):
        remove(aws)
        assert left(aws, unasked) == (0, 0, 0)
        put(aws)
    assert mortal.died > died + 4
    LambdaTarget(aws).destroy("mortal-front")
    assert left(aws, unasked) == (0, 0, 0)


def test_who_has_a_front_of_his_own_gets_none(aws: AWS, unasked: ControlPlane, tmp_path: Path) -> None:
    desired = replace(hand_made(tmp_path, "own-front"), domains=(NAME,), settings=LambdaSettings(front="own"))
    deploy(aws, desired)
    assert (left(aws, unasked), steps(aws, desired)) == ((0, 0, 0), [])
    LambdaTarget(aws).destroy("own-front")
