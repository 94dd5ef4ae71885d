"""homeport export github-actions"""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..controlplane.connections import check_url
from ..errors import InputError
from ..home import write_atomic
from ..infra_files import infra_file
from ..output import Output
from .options import json_option

WORKFLOW = Path(".github", "workflows", "homeport.yml")
# What needs no quotes in YAML and in a shell.
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


@click.group("export")
def export_command() -> None:
    """Write files for other ways to deploy."""


@export_command.command("github-actions")
@click.argument("path", default=".")
@click.option("--branch", default="main", show_default=True, help="The branch whose pushes are deployed.")
@json_option
def github_actions(path: str, branch: str, as_json: bool) -> None:
    """Write a GitHub Actions workflow into this repository that deploys PATH to the platform of --platform."""
    url = click.get_current_context().find_root().params.get("platform")
    if not url:
        raise InputError(
            "GitHub's runners need a platform that they can reach",
            hint="homeport --platform https://mcp.example.com export github-actions",
        )
    values = {"PLATFORM": check_url(url), "PATH": path, "BRANCH": branch}
    for value in (path, branch):
        if not _PLAIN.fullmatch(value) or value.startswith("-"):
            raise InputError(f"{value!r} has characters that a workflow cannot carry")
    if not Path(".git").exists():
        raise InputError("this is not the top of a git repository", hint="run it there")
    if WORKFLOW.exists():
        raise InputError(f"{WORKFLOW} is there already", hint="remove it first")
    text = infra_file("github/deploy.yml").read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    write_atomic(WORKFLOW, text.encode(), 0o644)
    Output(as_json=as_json).result(
        {"ok": True, "path": str(WORKFLOW)},
        f"{WORKFLOW} deploys each push to {branch}\n"
        "next:  homeport platform token create github, and put it into the repository's secret HOMEPORT_TOKEN",
    )
