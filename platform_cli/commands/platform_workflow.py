"""Implements `homeport export github-actions` for a platform that GitHub's runners can reach."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..platform_client.connections import check_url
from .output import Output
from .workflow import Asked, write_workflow


def write_platform_workflow(output: Output, workflow: Path, asked: Asked) -> None:
    if not asked.platform:
        raise InputError(
            "GitHub's runners need a platform that they can reach",
            hint="homeport --platform https://mcp.example.com export github-actions, or --target lambda",
        )
    values = {"PLATFORM": check_url(asked.platform), "PATH": asked.path, "BRANCH": asked.branch}
    write_workflow(workflow, "github/deploy.yml", values)
    output.result(
        {"ok": True, "path": str(workflow)},
        f"{workflow} deploys each push to {asked.branch}\n"
        "next:  homeport platform token create github, and put it into the repository's secret HOMEPORT_TOKEN",
    )
