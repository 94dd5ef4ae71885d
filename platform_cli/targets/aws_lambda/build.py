"""Project -> what it is to be on AWS, built and inspected on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...build.pipeline import build
from ...build.stages import Stages
from ...config.names import default_name
from ...config.project import Project
from ...errors import ConfigError
from ...home import Home
from ...secrets.references import referenced
from ...supervisor.inspection import inspect_release
from ...supervisor.launch import PlainLauncher
from ...supervisor.release import read_release
from .artifacts import make_artifacts
from .names import check_name_fits
from .planner import check_runs_there
from .wanted import Wanted


def make_wanted(
    project: Project, home: Home, stages: Stages, note: Callable[[str], None]
) -> tuple[Wanted, dict[str, Any] | None]:
    """What the project is to be on AWS, and its contract; `note` is told what was inferred.

    Raises ConfigError for what cannot run there.
    """
    check_runs_there(sessions=project.sessions, command=project.command, min_workers=project.scaling.min)
    if needed := referenced(project.environment):
        raise ConfigError(
            f"{next(iter(needed.values()))} needs a secret, and secrets are not on Lambda yet",
            hint="deploy it to the local target",
        )
    built = build(project, home, stages, lambda draft: _inspect(home, draft), note)
    artifacts = make_artifacts(built, project.on_lambda, home, stages)
    contract: dict[str, Any] | None = built.bundle.manifest["contract"]
    chosen = project.name or default_name(contract, project.folder)
    check_name_fits(chosen)
    wanted = Wanted(
        project=chosen,
        bundle=built.bundle.hash,
        artifacts=artifacts,
        settings=project.on_lambda,
        scaling=project.scaling,
        auto_scaling=project.auto_scaling,
        auth=project.auth,
        domains=project.domains,
    )
    return wanted, contract


def _inspect(home: Home, draft: Path) -> dict[str, Any]:
    return asyncio.run(inspect_release(PlainLauncher(), read_release(home, "inspection", 0, draft)))
