"""Implements `homeport logs`."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ..log_query import LogQuery
from ..records import LEVELS
from .options import json_option, platform_client, running, running_target, target_option, time_span
from .output import Output, visible
from .projects import release_number

if TYPE_CHECKING:
    from ..api.log_record import LogRecord


@click.command("logs")
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on.")
@click.option("--since", metavar="10m", help="Only the last 30s, 10m, 2h, 1d.")
@click.option("--level", type=click.Choice(LEVELS), help="This level and those above.")
@click.option("--grep", metavar="TEXT", help="Only messages that match this regular expression.")
@click.option("--release", metavar="v2", help="Only this release.")
@click.option("--build", is_flag=True, help="How the newest commit, or that of --release, was built instead.")
@target_option
@json_option
def logs_command(
    name: str,
    follow: bool,
    since: str | None,
    level: str | None,
    grep: str | None,
    release: str | None,
    build: bool,
    as_json: bool,
) -> None:
    """Show what the server of project NAME printed, and each call of a tool. With --json one object a line."""
    output = Output(as_json=as_json)
    if build:
        if follow or since or level or grep:
            raise InputError("--build goes with --release alone")
        _show_build(output, name, release)
        return
    query = _query(since, level, grep, release)
    found = False
    try:
        for record in running_target().logs(name, follow=follow, query=query):
            if query.wants(record):
                found = True
                output.line(record, record_text(record))
    except KeyboardInterrupt:
        # Following only ends in this way, so nothing was interrupted.
        raise click.exceptions.Exit(130) from None
    if not found:
        output.note("no such line is there")


def _show_build(output: Output, name: str, release: str | None) -> None:
    build = running(platform_client(), changes=False).build_log(name, release_number(release))
    output.result({"ok": True, "project": name, **build}, build["log"].rstrip("\n"))


def _query(since: str | None, level: str | None, grep: str | None, release: str | None) -> LogQuery:
    start = time.time() - time_span(since, "--since") if since else 0.0
    try:
        re.compile(grep or "")
    except re.error as error:
        raise InputError(
            f"--grep {grep!r} is not a regular expression: {error}",
            hint=r"a \ before one of ( ) [ ] . * + ? stands for the character itself",
        ) from None
    number = release_number(release)
    return LogQuery(start, level or LEVELS[0], grep or "", None if number is None else f"v{number}")


def record_text(record: LogRecord) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(record["time"]))
    call = record.get("call")
    detail = f" ({call['ms']:.1f} ms, {call['client']})" if call else ""
    text = f"{clock} {record['release']} {record['level']:<7} {record['message']}{detail}"
    # Further lines are indented, which distinguishes them from records.
    return "\n    ".join(visible(line) for line in text.split("\n"))
