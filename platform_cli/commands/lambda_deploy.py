"""homeport deploy --target lambda"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from ..build.stages import Stages
from ..config.project import Project
from ..home import Home
from ..output import Output
from .plans import plan_data, plan_text


def deploy_to_lambda(project: Project, home: Home, stages: Stages, output: Output, *, dry_run: bool) -> None:
    """Built and inspected here, without the platform; what serves is left alone until the new version has answered."""
    from ..controlplane.client import this_user
    from ..controlplane.connections import keep_token
    from ..controlplane.store import Origin
    from ..targets.aws_lambda.build import make_wanted
    from ..targets.aws_lambda.client import AWS
    from ..targets.aws_lambda.concurrency import wait_until_ready
    from ..targets.aws_lambda.executor import Executor
    from ..targets.aws_lambda.planner import make_plan
    from ..targets.aws_lambda.target import LambdaTarget

    aws, begun = AWS(project.on_lambda.region), time.monotonic()
    aws.prepare()

    def origin() -> Origin:
        return Origin(this_user(), seconds=time.monotonic() - begun)

    try:
        wanted, contract = make_wanted(project, lambda: aws, home, stages, output.note)
        with stages.run("plan"):
            plan = make_plan(aws, wanted)
        if dry_run:
            output.result(plan_data(wanted.project, plan.steps, stages), plan_text(wanted.project, plan.steps))
            return
        executor = Executor(aws, plan, origin, speaks_mcp=contract is not None)
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            if plan.steps:
                executor.run()
        status = LambdaTarget(aws).status(wanted.project)
        if executor.token is not None:
            keep_token(status["url"], executor.token, home)
        if wanted.scaling.min:
            with stages.run("ready"):
                wait_until_ready(aws, wanted.project, status["release"])
    finally:
        output.stop_spinner()
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


def _text(status: dict[str, Any], token: str | None, *, changed: bool) -> str:
    state = "is live" if changed else "is live already: no changes"
    lines = ["", f"{status['project']} {status['release']} {state} on Lambda", "", f"  {status['mcp_url']}", ""]
    if token:
        lines += [f"token: {token}", "shown once; this machine keeps it for connect, tools and call"]
    if status["auth"] == "none":
        lines.append('open to everyone: [auth] mode = "none"')
    lines.append(f"next:  homeport connect {status['project']} --target lambda --client claude-code")
    return "\n".join(lines)
