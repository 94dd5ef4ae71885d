"""homeport doctor"""

from __future__ import annotations

from dataclasses import asdict

import click

from ..doctor import Check, run_checks
from ..output import Output
from .options import json_option


@click.command("doctor")
@json_option
@click.pass_context
def doctor_command(context: click.Context, as_json: bool) -> None:
    """Check this machine, with the fix for each finding. Exit code 1 if there is a problem."""
    checks = list(run_checks())
    sound = all(check.status != "problem" for check in checks)
    data = {"ok": sound, "checks": [asdict(check) for check in checks]}
    Output(as_json=as_json).result(data, "\n".join(_text(check) for check in checks))
    context.exit(0 if sound else 1)


def _text(check: Check) -> str:
    line = f"{check.status:<7}  {check.name:<11}  {check.detail}"
    return f"{line}\n{'':22}fix: {check.fix}" if check.fix else line
