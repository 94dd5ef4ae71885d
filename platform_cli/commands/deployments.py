"""Implements `homeport deployments` and `diff`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ..errors import NotFoundError
from .options import json_option, target_option, target_or_platform
from .output import Output, table, visible
from .projects import release_number

if TYPE_CHECKING:
    from ..api.deployment import DeploymentEntry


@click.command("deployments")
@click.argument("name")
@target_option
@json_option
def deployments_command(name: str, as_json: bool) -> None:
    """List what was deployed to project NAME: from where, by whom, with which result. Newest first."""
    deployments = target_or_platform().deployments(name)
    header = ("release", "source", "who", "when", "result", "took", "what")
    text = table(header, [_row(deployment) for deployment in deployments])
    Output(as_json=as_json).result({"ok": True, "project": name, "deployments": deployments}, text)


def _row(deployment: DeploymentEntry) -> tuple[str, ...]:
    source, seconds = deployment["source"] or "-", deployment["seconds"]
    return (
        deployment["release"] or "-",
        source if source == "laptop" else source[:7],
        deployment["who"] or "-",
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(deployment["at"])),
        deployment["result"],
        "-" if seconds is None else f"{seconds:.1f} s",
        (deployment["error"] or deployment["message"] or "-").splitlines()[0],
    )


@click.command("diff")
@click.argument("name")
@click.argument("old", required=False)
@click.argument("new", required=False)
@target_option
@json_option
def diff_command(name: str, old: str | None, new: str | None, as_json: bool) -> None:
    """Compare the tools of two releases of project NAME; by default the active one with the one before it."""
    target = target_or_platform()
    served = [v for v in target.versions(name) if v["state"] != "failed"]
    newer = release_number(new) or next((release_number(v["release"]) for v in served if v["state"] == "active"), None)
    older = release_number(old) or next(
        (number for v in served if (number := release_number(v["release"])) and newer and number < newer), None
    )
    if newer is None or older is None:
        raise NotFoundError(f"{name} has no two releases to compare", hint=f"homeport versions {name}")
    difference = target.difference(name, older, newer)
    text = "\n".join(map(visible, difference["lines"])) or "the tools are the same"
    Output(as_json=as_json).result(
        {"ok": True, "project": name, "old": f"v{older}", "new": f"v{newer}", **difference}, text
    )
