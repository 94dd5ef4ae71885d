"""Releases that nobody has built, deployed from this process: what AWS is asked for, in a second."""

from __future__ import annotations

import os
from pathlib import Path

from platform_cli.config.project import LambdaSettings, Scaling
from platform_cli.origin import Origin
from platform_cli.pipeline.archive import Archive, Entry, write_archive
from platform_cli.targets.aws_lambda.artifacts import Artifacts
from platform_cli.targets.aws_lambda.client import AWS
from platform_cli.targets.aws_lambda.desired import DesiredState
from platform_cli.targets.aws_lambda.executor import Executor
from platform_cli.targets.aws_lambda.planner import make_plan


def hand_made(folder: Path, project: str) -> DesiredState:
    """Returns another release each time, with layers of its own."""

    def archive(kind: str) -> Archive:
        return write_archive(folder / f"{kind}.zip", {"a": Entry(os.urandom(16))})

    return DesiredState(
        project=project,
        named=True,
        folder="/here",
        artifacts=Artifacts(archive("function"), archive("packages"), archive("runtime"), "3.12", "arm64"),
        settings=LambdaSettings(),
        scaling=Scaling(),
        auto_scaling=True,
        auth=None,
        domains=(),
        secrets=None,
        speaks_mcp=True,
    )


def deploy(aws: AWS, desired: DesiredState, origin: Origin | None = None) -> None:
    Executor(aws, make_plan(aws, desired), lambda: origin or Origin(), keep=lambda _url, _token: None).run()
