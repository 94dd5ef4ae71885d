"""Implements `homeport export github-actions --target lambda`."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from ..aws_platform.boundary import boundary_policy
from ..errors import InputError
from ..github.client import GitHubClient
from ..github.credentials import find_token, token_of_gh
from ..github.repository import chosen_github, is_full_name
from ..home import open_home, write_atomic
from ..targets.aws_lambda.names import PREFIX
from ..targets.aws_lambda.places import NamedPlace, iam_arn
from ..targets.aws_lambda.policies import ISSUER, GitHubRepository, policy_document, trust_workflow, workflow_statements
from .output import Output
from .pinned import pinned_homeport
from .workflow import Asked, write_workflow

ROLE = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/([\w+=,.@/-]{1,128})", re.ASCII)
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
ORIGIN = re.compile(r"[:/]([^/:]+/[^/:]+?)(?:\.git)?/?$")
FOLDER = Path(".github", "homeport-role")
REQUIREMENTS = Path(".github", "homeport-requirements.txt")
BOUNDARY = "homeport_deploy_boundary"


def write_lambda_workflow(output: Output, workflow: Path, asked: Asked) -> None:
    """Writes the workflow, the policies of the role that it takes, and the requirements that it installs.

    Raises InputError for what is missing, and GitHubError if GitHub does not tell which repository it is, with nothing
    written.
    """
    role, place = _role(asked.role)
    repository = asked.repository or _origin()
    if not is_full_name(repository):
        raise InputError("which repository's workflow may take the role?", hint="--repository OWNER/NAME")
    requirements = pinned_homeport(asked.wheel)
    boundary = iam_arn(place, f"policy/{BOUNDARY}.{place.region}")
    documents: dict[str, dict[str, Any]] = {
        "trust.json": trust_workflow(place, _known(str(repository)), asked.branch),
        "permissions.json": policy_document(*workflow_statements(place, boundary, role)),
        "boundary.json": boundary_policy(place),
    }
    for name, document in documents.items():
        write_atomic(FOLDER / name, json.dumps(document, indent=2).encode() + b"\n", 0o644)
    write_atomic(REQUIREMENTS, requirements.encode(), 0o644)
    values = {"BRANCH": asked.branch, "ROLE": role, "REGION": place.region, "PATH": asked.path}
    more = {"REQUIREMENTS": str(REQUIREMENTS), "BOUNDARY": boundary}
    write_workflow(workflow, "github/deploy-lambda.yml", values | more)
    name = role.rpartition("/")[2]
    commands = [
        f"aws iam create-open-id-connect-provider --url https://{ISSUER} --client-id-list sts.amazonaws.com",
        f"aws iam create-policy --policy-name {BOUNDARY}.{place.region}"
        f" --policy-document file://{FOLDER / 'boundary.json'}",
        f"aws iam create-role --role-name {name} --assume-role-policy-document file://{FOLDER / 'trust.json'}",
        f"aws iam put-role-policy --role-name {name} --policy-name homeport"
        f" --policy-document file://{FOLDER / 'permissions.json'}",
    ]
    lines = [f"{workflow} deploys each push to {asked.branch}", "next, once for the account the first, and the role:"]
    data = {"ok": True, "path": str(workflow), "role": role, "commands": commands, **documents}
    output.result(data, "\n".join([*lines, *(f"  {command}" for command in commands)]))


def _role(asked: str | None) -> tuple[str, NamedPlace]:
    match = ROLE.fullmatch(asked or "")
    hint = "--role arn:aws:iam::ACCOUNT:role/homeport_deploy; the command says how to make it"
    if match is None:
        raise InputError("the workflow needs the ARN of the role that it takes", hint=hint)
    if match[3].rpartition("/")[2].startswith(PREFIX):
        raise InputError(f"roles called {PREFIX}* are of projects, which the workflow's role may change", hint=hint)
    region = os.environ.get("AWS_REGION", "")
    if not REGION.fullmatch(region):
        raise InputError("no AWS region was chosen", hint="set AWS_REGION")
    return match[0], NamedPlace(match[1], region, match[2])


def _known(name: str) -> GitHubRepository:
    """Returns the repository with its ids, which never change, whoever has the name later."""
    github = chosen_github()
    token = os.environ.get("GITHUB_TOKEN") or find_token(github, open_home()) or token_of_gh(github)
    with GitHubClient(github, token) as client:
        found = client.get(f"/repos/{name}")
    return GitHubRepository(found["full_name"], int(found["owner"]["id"]), int(found["id"]))


def _origin() -> str | None:
    done = subprocess.run(
        ["git", "remote", "get-url", "origin"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    match = ORIGIN.search(done.stdout.strip())
    return match[1] if match else None
