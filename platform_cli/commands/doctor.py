"""Implements `homeport doctor`."""

from __future__ import annotations

from dataclasses import asdict

import click

from ..doctor.machine import Check
from ..targets.base import find_target
from .options import configured_here, json_option, target_name, target_option
from .output import Output, table


@click.command("doctor")
@target_option
@json_option
@click.pass_context
def doctor_command(context: click.Context, as_json: bool) -> None:
    """Check this machine, or the AWS account, with the fix for each finding. Exit code 1 if there is a problem."""
    here = configured_here()
    diagnosis = find_target(target_name(here)).diagnose(here)
    checks, reach = list(diagnosis.checks), list(diagnosis.reach)
    sound = all(check.status != "problem" for check in checks)
    data = {"ok": sound, "checks": [asdict(check) for check in checks], "reach": [asdict(each) for each in reach]}
    rows = [(each.what, each.reached, each.reason) for each in reach]
    shown = ["", table(("what a server can reach", "", "because"), rows)] if rows else []
    Output(as_json=as_json).result(data, "\n".join([*map(_text, checks), *shown]))
    context.exit(0 if sound else 1)


def _text(check: Check) -> str:
    line = f"{check.status:<7}  {check.name:<11}  {check.detail}"
    return f"{line}\n{'':22}fix: {check.fix}" if check.fix else line
