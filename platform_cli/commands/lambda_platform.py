"""Implements `homeport platform deploy` and `destroy` with `--target lambda`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

from ..aws_platform.links import DynamoLinks, SecretsManagerVault
from ..aws_platform.package import make_package
from ..aws_platform.provisioning import provision
from ..aws_platform.removal import is_there, plan_platform_removal, remove_platform
from ..aws_platform.table import Table
from ..aws_platform.team_statements import read_statements
from ..config.project import Architecture
from ..errors import NotFoundError
from ..home import open_home
from ..platform_client.connections import keep_token
from ..pushes.linking import forget_repository
from ..targets.aws_lambda.client import AWS, aws_errors
from .output import Output
from .plans import step_lines
from .removals import confirm_removal


def deploy_platform(
    output: Output, architecture: Architecture, allow: Path | None, *, dry_run: bool, new_token: bool
) -> None:
    allowed = read_statements(allow) if allow else None
    home, stages = open_home(), output.stages()
    aws = AWS(None)
    aws.check_access()
    try:
        provisioning = provision(aws, make_package(architecture, home, stages), new_token=new_token, allowed=allowed)
        with stages.run("plan"):
            steps = provisioning.steps()
        if dry_run:
            plan = [asdict(step) for step, _ in steps]
            lines = step_lines(step for step, _ in steps)
            text = "\n".join(["deploying the platform would", *lines]) if steps else "no changes"
            output.result({"ok": True, "changed": bool(steps), "plan": plan}, text)
            return
        with stages.run("apply") as stage:
            stage.cached = not steps
            url = provisioning.apply(steps)
    finally:
        output.stop_spinner()
    if provisioning.token:
        keep_token(url, provisioning.token, home)
    told = {"token": provisioning.token} if provisioning.token else {}
    lines = [f"the platform is on AWS: {url}" + ("" if steps else ": no changes")]
    if provisioning.token:
        lines += [f"token: {provisioning.token}", "shown once; this machine keeps it for --platform"]
    lines.append(f"next:  homeport --platform {url} link-repo https://github.com/you/expense-tracker")
    output.result({"ok": True, "url": url, "changed": bool(steps), **told}, "\n".join(lines))


def destroy_platform(output: Output, *, yes: bool) -> None:
    """Removes the platform, but first the webhooks at GitHub, since the tokens for that are removed with it."""
    aws = AWS(None)
    left = []
    with aws_errors():
        if not is_there(aws):
            raise NotFoundError(f"there is no platform on AWS in {aws.region}", hint="AWS_REGION names another region")
        confirm_removal(output, "the platform", plan_platform_removal(aws), yes=yes)
        links = DynamoLinks(Table(aws), SecretsManagerVault(aws))
        for repository in links.repositories():
            if reason := asyncio.run(forget_repository(links, repository)):
                left.append(f"{repository.on_github.url}: {reason}")
        remove_platform(aws)
    for line in left:
        output.note(f"a webhook is still in the settings of {line}")
    output.result({"ok": True, "removed": True, "webhooks_left": left}, "the platform on AWS is gone; projects stay")
