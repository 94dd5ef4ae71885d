"""Tests what carries out pushes: one task a project, which waits for as long as GitHub wants it to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from platform_cli.controlplane.builds import Builds
from platform_cli.controlplane.platform import Platform
from platform_cli.controlplane.push_to_deploy import PushToDeploy
from platform_cli.errors import RateLimitError


def limited(seconds: float) -> RateLimitError:
    error = RateLimitError("GitHub's rate limit is reached")
    error.seconds = seconds
    return error


def test_a_push_that_met_githubs_limit_waits_for_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores: Any = SimpleNamespace(links=None, deployments=None)
    waits, answers = list[float](), [limited(7.0), limited(90.0), None]

    async def work(_project: str) -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def run() -> None:
        platform = cast(Platform, SimpleNamespace(stores=stores, home=tmp_path))
        pushes = PushToDeploy(platform, Builds(platform))
        monkeypatch.setattr(pushes._deploys, "work", work)
        monkeypatch.setattr("platform_cli.controlplane.push_to_deploy.asyncio.sleep", sleep)
        pushes.wake("one")
        pushes.wake("one")
        (task,) = pushes._tasks.values()
        await task
        assert pushes._tasks == {}

    asyncio.run(run())
    assert (waits, answers) == ([7.0, 90.0], [])
