"""homeport deploy --target lambda"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..build.pipeline import build
from ..build.stages import Stages
from ..config.names import default_name
from ..config.project import Project
from ..errors import ConfigError
from ..home import Home
from ..output import Output
from ..secrets.references import referenced
from .plans import plan_data, plan_text

if TYPE_CHECKING:
    from ..targets.aws_lambda.wanted import Wanted


def deploy_to_lambda(project: Project, home: Home, stages: Stages, output: Output, *, dry_run: bool) -> None:
    """Built and inspected here, without the platform; what serves is left alone until the new version has answered."""
    from ..controlplane.connections import keep_token
    from ..targets.aws_lambda.client import AWS
    from ..targets.aws_lambda.executor import Executor
    from ..targets.aws_lambda.planner import make_plan
    from ..targets.aws_lambda.target import LambdaTarget

    aws = AWS(project.on_lambda.region)
    try:
        wanted, contract = make_wanted(project, home, stages, output)
        with stages.run("plan"):
            plan = make_plan(aws, wanted)
        if dry_run:
            output.result(plan_data(wanted.project, plan.steps, stages), plan_text(wanted.project, plan.steps))
            return
        executor = Executor(aws, plan, speaks_mcp=contract is not None)
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            if plan.steps:
                executor.run()
        status = LambdaTarget(aws).status(wanted.project)
    finally:
        output.stop_spinner()
    if executor.token is not None:
        keep_token(status["url"], executor.token, home)
    data = {key: status[key] for key in ("project", "release", "target", "url", "mcp_url", "sse_url", "auth")}
    told = {"token": executor.token} if executor.token else {}
    shown = {
        "ok": True,
        **data,
        **told,
        "changed": bool(plan.steps),
        "stages": [asdict(stage) for stage in stages.done],
    }
    output.result(shown, _text(status, executor.token, changed=bool(plan.steps)))


def make_wanted(project: Project, home: Home, stages: Stages, output: Output) -> tuple[Wanted, dict[str, Any] | None]:
    """What the project is to be on AWS, built here, and its contract. Raises ConfigError for what cannot run there."""
    from ..targets.aws_lambda.artifacts import make_artifacts
    from ..targets.aws_lambda.names import check_name_fits
    from ..targets.aws_lambda.planner import check_runs_there
    from ..targets.aws_lambda.wanted import Wanted

    check_runs_there(sessions=project.sessions, command=project.command, min_workers=project.scaling.min)
    if needed := referenced(project.environment):
        raise ConfigError(
            f"{next(iter(needed.values()))} needs a secret, and secrets are not on Lambda yet",
            hint="deploy it to the local target",
        )
    built = build(project, home, stages, lambda draft: _inspect(home, draft), output.note)
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
    from ..supervisor.inspection import inspect_release
    from ..supervisor.launch import PlainLauncher
    from ..supervisor.release import read_release

    return asyncio.run(inspect_release(PlainLauncher(), read_release(home, "inspection", 0, draft)))


def _text(status: dict[str, Any], token: str | None, *, changed: bool) -> str:
    state = "is live" if changed else "is live already: no changes"
    lines = ["", f"{status['project']} {status['release']} {state} on Lambda", "", f"  {status['mcp_url']}", ""]
    if token:
        lines += [f"token: {token}", "shown once; this machine keeps it for connect, tools and call"]
    if status["auth"] == "none":
        lines.append('open to everyone: [auth] mode = "none"')
    lines.append(f"next:  homeport connect {status['project']} --target lambda --client claude-code")
    return "\n".join(lines)
