"""[scaling] max is reserved concurrency, min is provisioned concurrency of the alias."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import ReleaseError
from platform_cli.targets.aws_lambda import concurrency
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.concurrency import wait_until_ready
from tests.aws.control_plane import ControlPlane
from tests.support import CommandFailedError, Platform


def test_instances_that_are_kept_ready_and_their_limit(laptop: Platform, plane: ControlPlane, project: Path) -> None:
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
    assert [step["detail"] for step in deploy("[scaling]\nmin = 8\nmax = 20\n", "--dry-run")["plan"]][-2:] == [
        "instances to 20",
        "8 instances ready; AWS bills for them",
    ]  # fmt: skip
    functions = plane.moto.client("lambda")
    functions.put_function_concurrency(FunctionName="homeport-scaled", ReservedConcurrentExecutions=20)
    functions.put_provisioned_concurrency_config(
        FunctionName="homeport-scaled", Qualifier="live", ProvisionedConcurrentExecutions=8
    )
    # AWS refuses a limit below what is kept ready.
    deploy("[scaling]\nmax = 4\n")
    assert instances() == {"min": 0, "ready": 0, "max": 4}
    assert deploy("[scaling]\nmax = 4\n")["changed"] is False
    functions.put_function_concurrency(FunctionName="homeport-scaled", ReservedConcurrentExecutions=890)
    # Other tests' functions have reserved some, too.
    left = functions.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] - 100
    plane.calls.clear()
    config.write_text(f"{plain}\n[scaling]\nmax = 20\n")
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(project), "--name", "modest")
    assert (caught.value.code, f"has {left} to reserve" in caught.value.error["message"]) == (2, True)
    assert plane.calls == [], "it was refused before anything was changed"
    laptop.run("destroy", "scaled")


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
