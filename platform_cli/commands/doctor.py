"""homeport doctor"""

from __future__ import annotations

from dataclasses import asdict

import click

from ..config.hosts import is_public
from ..doctor.machine import Check, run_checks
from ..doctor.reach import Reach, reach_here
from ..errors import InputError
from ..home import open_home
from .options import configured_here, json_option, target_name, target_option
from .output import Output, table


@click.command("doctor")
@target_option
@json_option
@click.pass_context
def doctor_command(context: click.Context, as_json: bool) -> None:
    """Check this machine, or the AWS account, with the fix for each finding. Exit code 1 if there is a problem."""
    reach: tuple[Reach, ...] = ()
    here = configured_here()
    if target_name(here) == "lambda":
        from ..targets.aws_lambda.doctor import run_lambda_checks

        checks = list(run_lambda_checks(here.on_lambda, fronted=any(map(is_public, here.domains))))
    else:
        checks = list(run_checks())
        reach = _reach()
    sound = all(check.status != "problem" for check in checks)
    data = {"ok": sound, "checks": [asdict(check) for check in checks], "reach": [asdict(each) for each in reach]}
    rows = [(each.what, each.reached, each.reason) for each in reach]
    shown = ["", table(("what a server can reach", "", "because"), rows)] if rows else []
    Output(as_json=as_json).result(data, "\n".join([*map(_text, checks), *shown]))
    context.exit(0 if sound else 1)


def _reach() -> tuple[Reach, ...]:
    try:
        return reach_here(open_home().root)
    except InputError:
        # There is no home: the checks say so.
        return ()


def _text(check: Check) -> str:
    line = f"{check.status:<7}  {check.name:<11}  {check.detail}"
    return f"{line}\n{'':22}fix: {check.fix}" if check.fix else line
