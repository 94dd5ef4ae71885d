"""Builds and inspects a project on this machine, and determines its desired state on AWS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...config.names import default_name
from ...config.project import Project
from ...home import Home
from ...pipeline.build import build
from ...pipeline.code import read_code
from ...pipeline.sessions import decide_sessions
from ...pipeline.stages import Stages
from ...platform_client.issuing import issuer_file
from ...secrets.references import check_needed, referenced
from ..base import Note
from ..inspector import ProcessInspector
from .artifacts import end_of, make_artifacts, packages_for
from .candidate import LambdaCandidate
from .client import AWS
from .desired import DesiredState, check_variables_fit
from .issuer import check_can_sign_in
from .names import check_name_fits
from .pins import Pin
from .planner import check_runs_there, check_served_there
from .secrets import pin_of
from .secrets_manager import ProjectSecrets


def build_candidate(
    project: Project, aws: Callable[[], AWS], home: Home, stages: Stages, note: Note
) -> LambdaCandidate:
    """Builds a project for AWS; `note` gets what was inferred.

    `aws` is called only if the project has secrets, and nothing is changed there. Raises ConfigError for what cannot
    run there, or if a secret that it needs is not set.
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
    check_can_sign_in(project)
    issuer = issuer_file(project, home)
    pin, values = needed_secrets(project, aws)
    check_variables_fit(project.domains, pin)
    inspection = ProcessInspector(home, values, record=project.cold_start_optimization)
    built = build(project, home, stages, inspection, note, lambda own: packages_for(own, project.on_lambda))
    check_served_there(built.bundle.manifest["server"]["kind"])
    if said := end_of(built.bundle.manifest["interpreter"]["version"].rpartition(".")[0]):
        note(said)
    artifacts = make_artifacts(built, project.on_lambda, inspection.discovery, issuer, home, stages)
    contract = built.bundle.manifest["contract"]
    chosen = project.name or default_name(contract, project)
    check_name_fits(chosen)
    desired = DesiredState(
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
        speaks_mcp=contract is not None,
        issuer=project.issuer.url if issuer and project.issuer else None,
    )
    return LambdaCandidate(project, built.bundle.manifest, built.code, desired)


def _without_sessions(project: Project, note: Note) -> Project:
    if reason := decide_sessions(project, read_code(project)).reason:
        note(f"sessions: off, though {reason}; on Lambda each request may meet another instance")
    return replace(project, sessions=False)


def needed_secrets(project: Project, aws: Callable[[], AWS]) -> tuple[Pin | None, dict[str, str]]:
    """Returns the pin of the secrets that the project needs, None if it needs none, and their present values."""
    names = tuple(referenced(project.environment))
    if not names:
        return None, {}
    now = ProjectSecrets(aws(), project.name).current() if project.name else None
    check_needed(project, project.name, now.values if now else (), " --target lambda")
    return (pin_of(now, names), {name: now.values[name] for name in names}) if now else (None, {})
