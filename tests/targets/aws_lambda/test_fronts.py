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
from platform_cli.targets.aws_lambda import certificates, challenges, distributions
from platform_cli.targets.aws_lambda.challenges import challenge_arn
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


def left(aws: AWS) -> tuple[int, int, int]:
    """Returns how many distributions, certificates and functions of CloudFront there are."""
    listed: dict[str, Any] = aws.fronts.list_distributions()["DistributionList"]
    asked = aws.certificates.list_certificates()["CertificateSummaryList"]
    functions: dict[str, Any] = aws.fronts.list_functions()["FunctionList"]
    return len(listed.get("Items", ())), len(asked), len(functions.get("Items", ()))


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
    assert left(aws) == (1, 1, 1)

    # Another name takes another certificate; until it is there the names before are served.
    other = replace(desired, domains=(NAME,))
    deploy(aws, other)
    assert left(aws) == (1, 2, 1)
    assert steps(aws, other) == []
    issue()
    deploy(aws, other)
    assert left(aws) == (1, 1, 1)
    assert front_of(aws)["names"] == [NAME]

    removal = LambdaTarget(aws).removal("named")
    assert any(made["DomainName"] in line for line in removal.gone)
    LambdaTarget(aws).destroy("named")
    assert left(aws) == (0, 0, 0)


def test_what_restores_refusals_is_shared_and_goes_with_the_last_project_that_needs_it(
    aws: AWS, unasked: ControlPlane, tmp_path: Path
) -> None:
    names = {"login": NAME, "other-login": "other.example.com"}
    desired = {name: replace(hand_made(tmp_path, name), domains=(host,)) for name, host in names.items()}
    for one in desired.values():
        deploy(aws, one)
        issue()
        deploy(aws, one)
    assert left(aws) == (2, 2, 1)
    for made in aws.fronts.list_distributions()["DistributionList"]["Items"]:
        config = aws.fronts.get_distribution_config(Id=made["Id"])["DistributionConfig"]
        (function,) = config["DefaultCacheBehavior"]["FunctionAssociations"]["Items"]
        assert function == {"FunctionARN": challenge_arn(aws), "EventType": "viewer-response"}
        (origin,) = config["Origins"]["Items"]
        assert origin["CustomHeaders"]["Items"] == [{"HeaderName": "x-homeport-front", "HeaderValue": "1"}]
    deploy(aws, replace(desired["login"], domains=()))
    assert left(aws) == (1, 1, 1)
    LambdaTarget(aws).destroy("other-login")
    assert left(aws) == (0, 0, 0)
    LambdaTarget(aws).destroy("login")


def test_another_version_of_it_takes_the_place_of_the_one_before(
    aws: AWS, unasked: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = replace(hand_made(tmp_path, "newer"), domains=(NAME,))
    with monkeypatch.context() as before:
        before.setattr(challenges, "challenge_code", lambda: b"function handler(event) { return event.response; }")
        deploy(aws, desired)
        issue()
        deploy(aws, desired)
    assert steps(aws, desired) == ["front"]
    deploy(aws, desired)
    (function,) = aws.fronts.list_functions()["FunctionList"]["Items"]
    assert function["FunctionMetadata"]["FunctionARN"] == challenge_arn(aws)
    LambdaTarget(aws).destroy("newer")
    assert left(aws) == (0, 0, 0)


@pytest.mark.whole
def test_whatever_change_a_deploy_and_a_destroy_are_killed_behind_the_next_ends_it(
    aws: AWS, unasked: ControlPlane, tmp_path: Path
) -> None:
    mortal, plain = Mortal(), hand_made(tmp_path, "mortal-front")
    desired = replace(plain, domains=(NAME,))

    def put(aws: AWS) -> None:
        for _ in range(2):
            deploy(aws, desired)
            issue()

    def remove(aws: AWS) -> None:
        deploy(aws, replace(desired, domains=()))

    remove(aws)
    for _ in mortal.deaths(put):
        put(aws)
        assert (left(aws), steps(aws, desired)) == ((1, 1, 1), [])
        remove(aws)
    died = mortal.died
    assert died > 4
    for _ in mortal.deaths(remove):
        remove(aws)
        assert left(aws) == (0, 0, 0)
        put(aws)
    assert mortal.died > died + 4
    LambdaTarget(aws).destroy("mortal-front")
    assert left(aws) == (0, 0, 0)


def test_who_has_a_front_of_his_own_gets_none(aws: AWS, unasked: ControlPlane, tmp_path: Path) -> None:
    desired = replace(hand_made(tmp_path, "own-front"), domains=(NAME,), settings=LambdaSettings(front="own"))
    deploy(aws, desired)
    assert (left(aws), steps(aws, desired)) == ((0, 0, 0), [])
    LambdaTarget(aws).destroy("own-front")
