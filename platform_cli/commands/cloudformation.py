"""Implements `homeport export cloudformation`, for a function on AWS Lambda, the only target that has a template."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from ..bearer import hash_of, make_token
from ..errors import InputError
from ..findings.libraries import find_library_changes
from ..home import open_home
from .deploy import read_project
from .options import json_option, stage_option
from .output import Output
from .registration import register_later, registration_of


@click.command("cloudformation")
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
def cloudformation_command(path: str, name: str | None, stage: str | None, folder: Path, as_json: bool) -> None:
    """Write a CloudFormation template of what `deploy --target lambda` would make of PATH, and the zips it needs."""
    from ..targets.aws_lambda.build import build_candidate
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
        registration = registration_of(project)
        aws = partial(AWS, project.on_lambda.region)
        candidate = build_candidate(project, aws, open_home(), stages, output.note)
    finally:
        output.stop_spinner()
    for finding in find_library_changes(candidate.manifest):
        output.note(f"{finding.text}; {finding.hint}")
    desired = candidate.desired
    if registration is not None:
        register_later(registration, project, desired.project, output)
    template = write_template(desired, folder)
    # An existing stack keeps its parameters, and whoever made it has its token.
    token = None if desired.auth == "none" or is_there else make_token()
    parameters = ["ArtifactBucket=BUCKET", *([f"TokenHash={hash_of(token)}"] if token else [])]
    parameters += ["CertificateArn=ARN"] if desired.fronted else []
    parameters += [f"SecretArn={desired.secrets.arn}"] if desired.secrets else []
    commands = [
        f"aws s3 sync {folder / ARTIFACTS} s3://BUCKET/{KEY_PREFIX}",
        f"aws cloudformation deploy --stack-name {function_name(desired.project)} --template-file {template}"
        f" --capabilities CAPABILITY_NAMED_IAM --parameter-overrides {' '.join(parameters)}",
    ]
    lines = [f"{template} has {desired.project}", ""]
    if token:
        lines += [f"token: {token}", "shown once; TokenHash below is its sha256", ""]
    if desired.auth == "none":
        lines += ['open to everyone: [auth] mode = "none"', ""]
    told = {"token": token, "token_hash": hash_of(token)} if token else {}
    data = {"ok": True, "project": desired.project, "path": str(template), **told, "commands": commands}
    output.result(data, "\n".join([*lines, *commands]))
