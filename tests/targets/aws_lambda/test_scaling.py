"""Tests that [scaling] max is reserved concurrency, min is provisioned concurrency of the alias."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from platform_cli.config.project import Scaling
from platform_cli.errors import ConfigError, ReleaseError
from platform_cli.targets.aws_lambda import concurrency
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.concurrency import wait_until_ready
from platform_cli.targets.aws_lambda.desired import DesiredState
from platform_cli.targets.aws_lambda.live import read_live
from platform_cli.targets.aws_lambda.planner import make_plan
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane
from tests.support import CommandFailedError, Platform

from .hand_made import deploy, hand_made

pytestmark = pytest.mark.whole


def test_a_deploy_waits_for_the_instances_that_are_kept_ready(
    laptop: Platform, plane: ControlPlane, project: Path
) -> None:
    config = project / "fastmcp.toml"
    plain = config.read_text()

    def deploy(scaling: str, *options: str) -> dict[str, Any]:
        config.write_text(f"{plain}\n{scaling}")
        return laptop.run("deploy", str(project), "--name", "scaled", *options)

    def instances() -> dict[str, Any]:
        found: dict[str, Any] = laptop.run("status", "scaled")["instances"]
        return found

    deploy("[scaling]\nmin = 2\nmax = 5\n")
    assert instances() == {"min": 2, "ready": 2, "max": 5}

    plane.concurrency.failure = "FUNCTION_ERROR_INIT_FAILURE"
    try:
        with pytest.raises(CommandFailedError) as caught:
            deploy("[scaling]\nmin = 3\nmax = 5\n")
        assert (caught.value.code, caught.value.error["category"]) == (1, "release")
        assert caught.value.error["message"] == (
            "v2 of scaled is live and answers, but the 3 instances that AWS is to keep ready are not there: "
            "FUNCTION_ERROR_INIT_FAILURE"
        )
        status = laptop.run("status", "scaled")
        assert (status["release"], status["instances"]["ready"]) == ("v2", 0)
        assert status["last_error"] == "instances are not kept ready: FUNCTION_ERROR_INIT_FAILURE"
        again = deploy("[scaling]\nmin = 3\nmax = 5\n", "--dry-run")["plan"]
        assert [step["detail"] for step in again] == ["3 instances ready; AWS bills for them"]
    finally:
        plane.concurrency.failure = None
    laptop.run("destroy", "scaled", "--yes")


def test_at_no_moment_are_more_kept_ready_than_there_may_be(unasked: ControlPlane, tmp_path: Path) -> None:
    """AWS refuses it, and what the account has not."""
    aws, functions, one = AWS(None), unasked.moto.client("lambda"), hand_made(tmp_path, "scales")

    def scaled(least: int, most: int, project: str = "scales") -> DesiredState:
        return replace(one, project=project, scaling=Scaling(min=least, max=most))

    def planned(desired: DesiredState) -> list[str]:
        return [step.detail for step in make_plan(aws, desired).steps]

    deploy(aws, scaled(2, 5))
    assert planned(scaled(8, 20)) == ["instances to 20", "8 instances ready; AWS bills for them"]
    deploy(aws, scaled(8, 20))
    assert planned(scaled(0, 4)) == ["no instance ready without a request", "instances to 4"]
    deploy(aws, scaled(0, 4))
    assert planned(scaled(0, 4)) == []
    live = read_live(aws, "scales")
    assert (live.kept_ready, live.reserved) == (0, 4)

    # Other tests' functions have reserved some, too.
    free = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    left = 10
    functions.put_function_concurrency(
        FunctionName="homeport-scales", ReservedConcurrentExecutions=4 + free - 100 - left
    )
    with pytest.raises(ConfigError, match=f"has {left} to reserve"):
        make_plan(aws, scaled(0, 20, "modest"))
    LambdaTarget(aws).destroy("scales")


def test_a_project_whose_bound_nobody_chose_has_one(unasked: ControlPlane, tmp_path: Path) -> None:
    aws, functions, one = AWS(None), unasked.moto.client("lambda"), hand_made(tmp_path, "bounded")
    plan = make_plan(aws, one)
    assert (plan.limit, plan.notes) == (50, ("instances: at most 50, since nobody said more; [scaling] max does",))
    deploy(aws, one)
    assert read_live(aws, "bounded").reserved == 50
    assert (make_plan(aws, one).steps, make_plan(aws, one).notes) == ((), ())
    deploy(aws, replace(one, scaling=Scaling(max=1)))
    assert read_live(aws, "bounded").reserved == 1

    functions.put_function_concurrency(FunctionName="homeport-bounded", ReservedConcurrentExecutions=1)
    left = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    functions.put_function_concurrency(FunctionName="homeport-bounded", ReservedConcurrentExecutions=left + 1 - 100)
    full = make_plan(aws, replace(one, project="unbounded"))
    assert (full.limit, "nothing bounds" in full.notes[0]) == (None, True)
    LambdaTarget(aws).destroy("bounded")


def test_instances_that_do_not_come_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    half = {
        "Status": "IN_PROGRESS",
        "RequestedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 1,
    }
    monkeypatch.setattr(concurrency, "provisioned", lambda _aws, _project: half)
    monkeypatch.setattr(concurrency, "READY_S", 0.0)
    with pytest.raises(ReleaseError, match=r"v3 of slow is live and answers, but the 2 instances .* it has 1 after"):
        wait_until_ready(AWS("eu-central-1"), "slow", "v3")
