"""Deploys to AWS Lambda within a function, by the same steps as `homeport deploy --target lambda` on a laptop."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from ..config.project import Project
from ..errors import BusyError, ConfigError
from ..findings.libraries import find_library_changes
from ..findings.offers import check_still_offers
from ..home import Home
from ..origin import Origin
from ..pushes.deployer import Deployed, Emit, Read, token_note, told_stages
from ..target_table import target_argument
from ..targets.aws_lambda.apply import apply_plan, wait_for_instances
from ..targets.aws_lambda.build import build_candidate
from ..targets.aws_lambda.client import AWS, aws_errors
from ..targets.aws_lambda.desired import asked_statements
from ..targets.aws_lambda.live import Live, read_live
from ..targets.aws_lambda.planner import make_plan
from ..targets.aws_lambda.secrets_manager import ProjectSecrets
from ..targets.aws_lambda.target import LambdaTarget
from .boundary import allowed_by_team, boundary_arn
from .contracts import Contracts
from .team_statements import check_within_boundary

# The seconds to wait while the same project is deployed from a laptop, and between two tries.
PATIENCE_S = 120
AGAIN_S = 2


class LambdaDeployer:
    def __init__(self, aws: AWS, home: Home, contracts: Contracts) -> None:
        self._aws = aws
        self._home = home
        self._contracts = contracts
        self._target = LambdaTarget(aws)

    async def deploy(self, project: str, read: Read, emit: Emit, source: str, origin: Callable[[], Origin]) -> Deployed:
        return await asyncio.to_thread(self._deploy, project, read, emit, source, origin)

    def _deploy(self, name: str, read: Read, emit: Emit, source: str, origin: Callable[[], Origin]) -> Deployed:
        stages = told_stages(emit)

        def note(text: str) -> None:
            emit({"event": "note", "text": text})

        folder = Path(tempfile.mkdtemp(prefix="homeport-build-"))
        try:
            candidate = build_candidate(self._bounded(read(folder)), lambda: self._aws, self._home, stages, note)
            for finding in find_library_changes(candidate.manifest):
                note(f"{finding.text}; {finding.hint}")
            check_still_offers(candidate.contract, self.contract(name))
            desired = replace(candidate.desired, folder=source)
            for attempt in _patiently():
                with attempt:
                    plan = make_plan(self._aws, desired)
                    for text in plan.notes:
                        note(text)
                    applied = apply_plan(self._aws, plan, stages, origin, keep=_kept_by_nobody)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for text in applied.notes:
            note(text)
        release = int((applied.status["release"] or "").removeprefix("v"))
        self._contracts.keep(name, release, candidate.contract)
        wait_for_instances(self._aws, plan, applied, stages)
        told = token_note(name, target_argument(LambdaTarget.name)) if applied.token else None
        return Deployed(release, candidate.contract, changed=applied.changed, note=told)

    def _bounded(self, project: Project) -> Project:
        """Returns the project with the boundary of all that is deployed here.

        Raises ConfigError if it asks for more than the boundary allows.
        """
        asked = project.on_lambda
        if asked.region not in (None, self._aws.region):
            raise ConfigError(
                f"[deployment.lambda] region is {asked.region}, and this platform is in {self._aws.region}"
            )
        check_within_boundary(asked, allowed_by_team(self._aws) if any(asked_statements(asked)) else ())
        return replace(project, on_lambda=replace(asked, boundary=boundary_arn(self._aws)))

    async def destroy(self, project: str) -> None:
        await asyncio.to_thread(_patiently(), self._target.destroy, project)
        self._contracts.forget(project)

    def mcp_url(self, project: str) -> str | None:
        live = self._live(project)
        return f"{live.url}/mcp" if live.active and live.url else None

    def contract(self, project: str) -> Mapping[str, Any] | None:
        active = self._live(project).active
        return self._contracts.of(project, active.release) if active else None

    def _live(self, project: str) -> Live:
        with aws_errors():
            return read_live(self._aws, project)

    def share_secrets(self, project: str, preview: str) -> None:
        if now := ProjectSecrets(self._aws, project).current():
            ProjectSecrets(self._aws, preview).set(now.values)


def _kept_by_nobody(_url: str, _token: str) -> None:
    """Does nothing with a new token, since nobody is here to see it: the build's log tells how to get another one."""


def _patiently() -> Retrying:
    """Retries while the same project is deployed elsewhere."""
    return Retrying(
        retry=retry_if_exception_type(BusyError),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_fixed(AGAIN_S),
        reraise=True,
    )
