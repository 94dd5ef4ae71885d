"""Releases on AWS Lambda, made by a function: the same steps as `homeport deploy --target lambda` on a laptop."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from ..errors import BusyError, ConfigError, ReleaseError
from ..findings.offers import check_still_offers
from ..home import Home
from ..origin import Origin
from ..pushes.deployer import Deployed, Emit, Read, token_note, told_stages
from ..targets.aws_lambda.build import make_wanted
from ..targets.aws_lambda.client import AWS, aws_errors
from ..targets.aws_lambda.concurrency import wait_until_ready
from ..targets.aws_lambda.executor import Executor
from ..targets.aws_lambda.front_lines import front_lines
from ..targets.aws_lambda.fronts import read_front
from ..targets.aws_lambda.live import Live, read_live
from ..targets.aws_lambda.planner import make_plan
from ..targets.aws_lambda.secrets_manager import ProjectSecrets
from ..targets.aws_lambda.target import LambdaTarget
from ..targets.aws_lambda.wanted import asked_statements
from .boundary import allowed_by_team, boundary_arn
from .contracts import Contracts
from .team_statements import check_within_boundary

# Seconds for which a deploy of the same project from a laptop is waited for.
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
        folder = Path(tempfile.mkdtemp(prefix="homeport-build-"))
        try:
            project = read(folder)
            if (region := project.on_lambda.region) not in (None, self._aws.region):
                raise ConfigError(f"[deployment.lambda] region is {region}, and this platform is in {self._aws.region}")
            asks = any(asked_statements(project.on_lambda))
            check_within_boundary(project.on_lambda, allowed_by_team(self._aws) if asks else ())
            stages = told_stages(emit)
            wanted, contract = make_wanted(
                project, lambda: self._aws, self._home, stages, lambda text: emit({"event": "note", "text": text})
            )
            check_still_offers(contract, self.contract(name))
            settings = replace(wanted.settings, boundary=boundary_arn(self._aws))
            for attempt in _patiently():
                with attempt:
                    plan = make_plan(self._aws, replace(wanted, folder=source, settings=settings))
                    for text in plan.notes:
                        emit({"event": "note", "text": text})
                    executor = Executor(self._aws, plan, origin, speaks_mcp=contract is not None)
                    with stages.run("apply"):
                        executor.run()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        live = self._live(name)
        active = live.active
        self._tell_names(live, emit)
        if active is None:
            raise ReleaseError(f"{name} was destroyed while it was deployed", hint="push again")
        self._contracts.keep(name, active.release, contract)
        if wanted.scaling.min:
            with stages.run("ready"):
                wait_until_ready(self._aws, name, f"v{active.release}")
        note = token_note(name, " --target lambda") if executor.token else None
        return Deployed(active.release, contract, changed=bool(plan.steps), note=note)

    def _tell_names(self, live: Live, emit: Emit) -> None:
        with aws_errors():
            front = read_front(self._aws, live.tags)
        for line in front_lines(front.data()) if front else ():
            emit({"event": "note", "text": line})

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


def _patiently() -> Retrying:
    """Again for as long as somebody else deploys the same project."""
    return Retrying(
        retry=retry_if_exception_type(BusyError),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_fixed(AGAIN_S),
        reraise=True,
    )
