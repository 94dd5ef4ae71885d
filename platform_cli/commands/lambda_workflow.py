"""homeport export github-actions --target lambda"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from ..errors import InputError
from ..github.repository import is_full_name
from ..home import write_atomic
from ..output import Output
from ..targets.aws_lambda.places import NamedPlace
from ..targets.aws_lambda.policies import ISSUER, policy, project_statements, trust_workflow
from .workflow import write_workflow

ROLE = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/([\w+=,.@/-]{1,128})", re.ASCII)
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
ORIGIN = re.compile(r"[:/]([^/:]+/[^/:]+?)(?:\.git)?/?$")
FOLDER = Path(".github", "homeport-role")


def write_lambda_workflow(
    output: Output, workflow: Path, path: str, branch: str, role: str | None, repository: str | None
) -> None:
    """Beside the workflow the two policies of the role that it takes. Raises InputError with nothing written."""
    match = ROLE.fullmatch(role or "")
    if match is None:
        hint = "--role arn:aws:iam::ACCOUNT:role/homeport-deploy; the command says how to make it"
        raise InputError("the workflow needs the ARN of the role that it takes", hint=hint)
    region = os.environ.get("AWS_REGION", "")
    if not REGION.fullmatch(region):
        raise InputError("no AWS region was chosen", hint="set AWS_REGION")
    repository = repository or _origin()
    if not is_full_name(repository):
        raise InputError("which repository's workflow may take the role?", hint="--repository OWNER/NAME")
    place = NamedPlace(match[1], region, match[2])
    documents = {
        "trust.json": trust_workflow(place, str(repository), branch),
        "permissions.json": policy(*project_statements(place)),
    }
    for name, document in documents.items():
        write_atomic(FOLDER / name, json.dumps(document, indent=2).encode() + b"\n", 0o644)
    values = {"BRANCH": branch, "ROLE": match[0], "REGION": region, "PATH": path}
    write_workflow(workflow, "github/deploy-lambda.yml", values)
    name = match[3].rpartition("/")[2]
    commands = [
        f"aws iam create-open-id-connect-provider --url https://{ISSUER} --client-id-list sts.amazonaws.com",
        f"aws iam create-role --role-name {name} --assume-role-policy-document file://{FOLDER / 'trust.json'}",
        f"aws iam put-role-policy --role-name {name} --policy-name homeport"
        f" --policy-document file://{FOLDER / 'permissions.json'}",
    ]
    lines = [f"{workflow} deploys each push to {branch}", "next, once for the account the first, and the role:"]
    data = {"ok": True, "path": str(workflow), "role": match[0], "commands": commands, **documents}
    output.result(data, "\n".join([*lines, *(f"  {command}" for command in commands)]))


def _origin() -> str | None:
    done = subprocess.run(
        ["git", "remote", "get-url", "origin"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    match = ORIGIN.search(done.stdout.strip())
    return match[1] if match else None
