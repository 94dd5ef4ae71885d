"""Tests the plan of a local deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from homeport_runtime.loading.manifest_data import ManifestData
from platform_cli.config.project import Project
from platform_cli.errors import NotFoundError
from platform_cli.home import Home
from platform_cli.pipeline.model import Bundle
from platform_cli.targets.local.target import LocalCandidate, LocalTarget

BUNDLE = Bundle(Path("bundle"), "b" * 32, cast("ManifestData", {"contract": None}))
PROJECT = Project(folder=Path("folder"), entrypoint=None, name="tiny")


class Client:
    """Stands in for a platform with at most one project."""

    def __init__(self, current: dict[str, Any] | None) -> None:
        self._current = current

    remote = None

    def wait_until_running(self) -> None:
        """Returns at once, since it runs."""

    def status(self, project: str) -> dict[str, Any]:
        if self._current is None:
            raise NotFoundError(project)
        return self._current


def project(bundle: str, state: str = "running", release: str | None = "v1") -> dict[str, Any]:
    return {
        "bundle": bundle,
        "state": state,
        "release": release,
        "outdated_secrets": [],
        "url": "http://127.0.0.1:8700",
    }


@pytest.mark.parametrize(
    ("current", "actions"),
    [
        (None, ["create", "start", "switch"]),
        (project("a" * 32), ["start", "switch", "drain"]),
        (project(BUNDLE.hash), []),
        (project(BUNDLE.hash, "idle"), []),
        (project(BUNDLE.hash, "down"), ["open"]),
    ],
)
def test_steps(current: dict[str, Any] | None, actions: list[str]) -> None:
    target = LocalTarget(cast(Any, Client(current)), Home(Path("home")), lambda _: None)
    plan = target.plan(LocalCandidate(PROJECT, BUNDLE.manifest, (), BUNDLE))
    assert [step.action for step in plan.steps] == actions
