"""Project -> what it is to be on AWS, built and inspected on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeport_runtime.telemetry.scrub import Scrubber

from ...api.inspection import Inspected
from ...config.names import default_name
from ...config.project import Project
from ...findings.libraries import find_library_changes
from ...home import Home
from ...pipeline.build import build
from ...pipeline.code import read_code
from ...pipeline.model import Bundle
from ...pipeline.sessions import decide_sessions
from ...pipeline.stages import Stages
from ...secrets.references import check_needed, referenced
from ...supervisor.inspection import inspect_release
from ...supervisor.launch import PlainLauncher
from ...supervisor.release import read_release
from .artifacts import make_artifacts, packages_for
from .client import AWS
from .names import check_name_fits
from .pins import Pin
from .planner import check_runs_there, check_served_there
from .secrets import pin_of
from .secrets_manager import ProjectSecrets
from .wanted import Wanted, check_variables_fit


def make_wanted(
    project: Project, aws: Callable[[], AWS], home: Home, stages: Stages, note: Callable[[str], None]
) -> tuple[Wanted, dict[str, Any] | None]:
    """What the project is to be on AWS, and its contract; `note` is told what was inferred. `aws` is asked for where it
    has its secrets, and nothing is changed there.

    Raises ConfigError for what cannot run there, or needs a secret that is not set.
    """
    if project.sessions is None:
        project = _without_sessions(project, note)
    check_runs_there(
        sessions=bool(project.sessions),
        command=project.command,
        min_workers=project.scaling.min,
        snap_start=project.on_lambda.snap_start,
    )
    check_name_fits(project.name or "")
    pin, values = needed_secrets(project, aws)
    check_variables_fit(project.domains, pin)
    inspection = _Inspection(home, values, record=project.cold_start_optimization)
    built = build(project, home, stages, inspection, note, lambda own: packages_for(own, project.on_lambda))
    check_served_there(built.bundle.manifest["server"]["kind"])
    for finding in find_library_changes(built.bundle.manifest):
        note(f"{finding.text}; {finding.hint}")
    artifacts = make_artifacts(built, project.on_lambda, inspection.discovery, home, stages)
    contract: dict[str, Any] | None = built.bundle.manifest["contract"]
    chosen = project.name or default_name(contract, project)
    check_name_fits(chosen)
    wanted = Wanted(
        project=chosen,
        named=project.name is not None,
        folder=project.place,
        artifacts=artifacts,
        settings=project.on_lambda,
        scaling=project.scaling,
        auto_scaling=project.auto_scaling,
        auth=project.auth,
        domains=project.domains,
        secrets=pin,
    )
    return wanted, contract


def _without_sessions(project: Project, note: Callable[[str], None]) -> Project:
    if reason := decide_sessions(project, read_code(project)).reason:
        note(f"sessions: off, though {reason}; on Lambda each request may meet another instance")
    return replace(project, sessions=False)


def needed_secrets(project: Project, aws: Callable[[], AWS]) -> tuple[Pin | None, dict[str, str]]:
    """Those that the project needs, as they are now, and their values."""
    names = tuple(referenced(project.environment))
    if not names:
        return None, {}
    now = ProjectSecrets(aws(), project.name).current() if project.name else None
    check_needed(project, project.name, now.values if now else (), " --target lambda")
    return (pin_of(now, names), {name: now.values[name] for name in names}) if now else (None, {})


class _Inspection:
    """Loads the server with `secrets`, once for the contract and for what it says to every client alike."""

    def __init__(self, home: Home, secrets: Mapping[str, str], *, record: bool) -> None:
        self._home = home
        self._secrets = secrets
        self._record = record
        self._said: Inspected | None = None

    def __call__(self, folder: Path) -> Inspected:
        """What the server in the bundle or its draft in `folder` says. Raises InspectError."""
        release = replace(read_release(self._home, "inspection", 0, folder), secrets=lambda: self._secrets)
        self._said = asyncio.run(inspect_release(PlainLauncher(), release, record=self._record))
        return self._said

    def discovery(self, bundle: Bundle) -> dict[str, Any] | None:
        """For discovery.json: None where it is not wanted, or tells a secret: the server may tell it to everyone, but
        no file does.
        """
        if not self._record:
            return None
        found: dict[str, Any] | None = (self._said or self(bundle.path))["discovery"]
        scrubber = Scrubber(self._secrets)
        is_told = found is not None and any(scrubber.text(body) != body for _, _, body in found["kept"])
        return None if is_told else found
