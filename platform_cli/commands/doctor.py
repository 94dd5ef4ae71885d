"""homeport doctor"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import click

from ..doctor import Check, run_checks
from ..output import Output
from .options import configured_here, json_option, target_name, target_option


@click.command("doctor")
@target_option
@json_option
@click.pass_context
def doctor_command(context: click.Context, as_json: bool) -> None:
    """Check this machine, or the AWS account, with the fix for each finding. Exit code 1 if there is a problem."""
    checks = list(_checks())
    sound = all(check.status != "problem" for check in checks)
    data = {"ok": sound, "checks": [asdict(check) for check in checks]}
    Output(as_json=as_json).result(data, "\n".join(_text(check) for check in checks))
    context.exit(0 if sound else 1)


def _checks() -> Iterator[Check]:
    here = configured_here()
    if target_name(here) != "lambda":
        return run_checks()
    from ..targets.aws_lambda.doctor import run_lambda_checks

    return run_lambda_checks(here.on_lambda.region)


def _text(check: Check) -> str:
    line = f"{check.status:<7}  {check.name:<11}  {check.detail}"
    return f"{line}\n{'':22}fix: {check.fix}" if check.fix else line
