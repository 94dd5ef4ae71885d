"""Tests where releases came from, as `versions` says it."""

from __future__ import annotations

from pathlib import Path

from platform_cli.origin import Origin
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.target import LambdaTarget
from tests.aws.control_plane import ControlPlane

from .hand_made import deploy, hand_made

SHA = "2c26b46b68ffc68ff99b453c1d30413413422d70"


def test_versions_say_the_commit_of_each_release(unasked: ControlPlane, tmp_path: Path) -> None:
    aws = AWS(None)
    target = LambdaTarget(aws)

    def origins() -> dict[str, tuple[str | None, str | None]]:
        found = ((one["release"], one["origin"]) for one in target.versions("origins"))
        return {release: (origin["sha"], origin["author"]) for release, origin in found}

    deploy(aws, hand_made(tmp_path, "origins"), Origin("ada", SHA, "a message", 12.34))
    deploy(aws, hand_made(tmp_path, "origins"), Origin("ada@laptop", seconds=1.0))
    known = {"v2": (None, "ada@laptop"), "v1": (SHA, "ada")}
    assert origins() == known
    target.rollback("origins", 1)
    assert origins() == known
    target.destroy("origins")
