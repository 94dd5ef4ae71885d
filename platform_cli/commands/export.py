"""homeport export github-actions, cloudformation"""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..bearer import hash_of, make_token
from ..config.project import Project
from ..errors import InputError
from ..home import open_home
from ..platform_client.connections import check_url
from .deploy import read_project
from .options import json_option, stage_option, target_name, target_option
from .output import Output
from .workflow import write_workflow

WORKFLOW = Path(".github", "workflows", "homeport.yml")
# What needs no quotes in YAML and in a shell.
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


@click.group("export")
def export_command() -> None:
    """Write files for other ways to deploy."""


@export_command.command("github-actions")
@click.argument("path", default=".")
@click.option("--branch", default="main", show_default=True, help="The branch whose pushes are deployed.")
@target_option
@click.option("--role", metavar="ARN", help="On Lambda: the role that the workflow takes, which need not be there yet.")
@click.option("--repository", metavar="OWNER/NAME", help="On Lambda: whose workflow may take it; default: origin's.")
@click.option(
    "--wheel",
    type=click.Path(dir_okay=False, path_type=Path),
    help="On Lambda: homeport's wheel in this repository, which the workflow installs by its hash.",
)
@json_option
def github_actions(
    path: str, branch: str, role: str | None, repository: str | None, wheel: Path | None, as_json: bool
) -> None:
    """Write a GitHub Actions workflow into this repository that deploys PATH to the platform of --platform, or to
    Lambda.
    """
    for value in (path, branch):
        if not _PLAIN.fullmatch(value) or value.startswith("-"):
            raise InputError(f"{value!r} has characters that a workflow cannot carry")
    if not Path(".git").exists():
        raise InputError("this is not the top of a git repository", hint="run it there")
    if WORKFLOW.exists():
        raise InputError(f"{WORKFLOW} is there already", hint="remove it first")
    output = Output(as_json=as_json)
    if target_name(Project(folder=Path(path), entrypoint=None)) == "lambda":
        from .lambda_workflow import Asked, write_lambda_workflow

        write_lambda_workflow(output, WORKFLOW, Asked(path, branch, role, repository, wheel))
        return
    url = click.get_current_context().find_root().params.get("platform")
    if not url:
        raise InputError(
            "GitHub's runners need a platform that they can reach",
            hint="homeport --platform https://mcp.example.com export github-actions, or --target lambda",
        )
    write_workflow(WORKFLOW, "github/deploy.yml", {"PLATFORM": check_url(url), "PATH": path, "BRANCH": branch})
    output.result(
        {"ok": True, "path": str(WORKFLOW)},
        f"{WORKFLOW} deploys each push to {branch}\n"
        "next:  homeport platform token create github, and put it into the repository's secret HOMEPORT_TOKEN",
    )


@export_command.command("cloudformation")
@click.argument("path", default=".")
@click.option("--name", help="The project's name; default: as deploy.")
@stage_option
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="cloudformation",
    show_default=True,
    help="The folder to write.",
)
@json_option
def cloudformation(path: str, name: str | None, stage: str | None, folder: Path, as_json: bool) -> None:
    """Write a CloudFormation template of what `deploy --target lambda` would make of PATH, and the zips it needs."""
    from ..targets.aws_lambda.build import make_wanted
    from ..targets.aws_lambda.client import AWS
    from ..targets.aws_lambda.names import function_name
    from ..targets.aws_lambda.template import ARTIFACTS, KEY_PREFIX, TEMPLATE, write_template

    is_there = (folder / TEMPLATE).exists()
    if not is_there and folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} has other things in it", hint="--to another folder")
    output = Output(as_json=as_json)
    stages = output.stages()
    try:
        project = read_project(path, name, (), stage=stage)
        wanted, _ = make_wanted(project, lambda: AWS(project.on_lambda.region), open_home(), stages, output.note)
    finally:
        output.stop_spinner()
    template = write_template(wanted, folder)
    # A stack that is there keeps its parameters, and whoever made it has its token.
    token = None if wanted.auth == "none" or is_there else make_token()
    parameters = ["ArtifactBucket=BUCKET", *([f"TokenHash={hash_of(token)}"] if token else [])]
    parameters += ["CertificateArn=ARN"] if wanted.fronted else []
    parameters += [f"SecretArn={wanted.secrets.arn}"] if wanted.secrets else []
    commands = [
        f"aws s3 sync {folder / ARTIFACTS} s3://BUCKET/{KEY_PREFIX}",
        f"aws cloudformation deploy --stack-name {function_name(wanted.project)} --template-file {template}"
        f" --capabilities CAPABILITY_NAMED_IAM --parameter-overrides {' '.join(parameters)}",
    ]
    lines = [f"{template} has {wanted.project}", ""]
    if token:
        lines += [f"token: {token}", "shown once; TokenHash below is its sha256", ""]
    if wanted.auth == "none":
        lines += ['open to everyone: [auth] mode = "none"', ""]
    told = {"token": token, "token_hash": hash_of(token)} if token else {}
    data = {"ok": True, "project": wanted.project, "path": str(template), **told, "commands": commands}
    output.result(data, "\n".join([*lines, *commands]))
