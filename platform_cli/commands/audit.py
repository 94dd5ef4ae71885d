"""Implements `homeport audit`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, get_args

import click

from ..api.audit_entry import Result
from ..api.audit_query import AuditQuery
from ..audit.ocsf import ocsf
from ..errors import PlatformError
from .audit_exports import export_to_command
from .options import json_option, running_target, target_option, time_span
from .output import Output, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..api.audit_entry import AuditEntry, Verified


class WithDefault(click.Group):
    """Is a group whose first argument is the project of `show`, unless it names another command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.command("audit", cls=WithDefault)
def audit_command() -> None:
    """Show who called what: `audit NAME`; verify that nobody has changed it; export it, or send it to a SIEM.

    Each call is a line, bound to the one before it by a hash. It is kept for projects that need a token or have
    [scopes] or [audit] in their fastmcp.toml.
    """


audit_command.add_command(export_to_command)


def query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that select lines, as `AuditQuery` has them."""
    for option in (
        click.option("--result", type=click.Choice(get_args(Result)), help="Only calls with this result."),
        click.option("--tool", metavar="PATTERN", help="Only calls of these tools; * stands for anything."),
        click.option("--user", metavar="PATTERN", help="Only calls of these users."),
        click.option("--client", metavar="PATTERN", help="Only calls of these clients."),
        click.option("--since", metavar="10m", help="Only the last 30s, 10m, 2h, 1d."),
    ):
        command = option(command)
    return command


@audit_command.command("show")
@click.argument("name")
@query_options
@target_option
@json_option
def show(
    name: str, since: str | None, client: str | None, user: str | None, tool: str | None, result: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show who called what of project NAME. With --json one object a line."""
    output = Output(as_json=as_json)
    query = _query(since, client, user, tool, result)
    is_empty = True
    for entry in running_target(changes=False).audit(name, query):
        is_empty = False
        output.line(entry, entry_text(entry))
    if is_empty:
        output.note(
            "no such line is there; a project that is open to everyone has an audit log only with [audit] in its "
            "fastmcp.toml"
        )


@audit_command.command("export")
@click.argument("name")
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "ocsf"]), default="jsonl", show_default=True,
    help="The lines as they are kept, or events of the Open Cybersecurity Schema Framework.",
)  # fmt: skip
@query_options
@target_option
@json_option
def export(
    name: str, form: str, since: str | None, client: str | None, user: str | None, tool: str | None, result: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the audit log of project NAME to stdout, one JSON object a line; with --json errors are JSON, too."""
    output = Output(as_json=as_json)
    query = _query(since, client, user, tool, result)
    for entry in running_target(changes=False).audit(name, query):
        # The hashes are of the text as it is kept.
        output.exact_line(
            json.dumps(ocsf(entry) if form == "ocsf" else entry, ensure_ascii=False, separators=(",", ":"))
        )


@audit_command.command("verify")
@click.argument("name")
@target_option
@json_option
def verify(name: str, as_json: bool) -> None:
    """Check that nobody has changed, removed, moved or cut off a line of project NAME's audit log."""
    found = running_target(changes=False).verify_audit(name)
    output = Output(as_json=as_json)
    if not found["ok"]:
        if as_json:
            output.result(dict(found), "")
            raise click.exceptions.Exit(1)
        raise PlatformError(
            f"the audit log of {name} is broken at line {found['broken_at']}: {found['problem']}",
            hint="compare it with what was exported before",
        )
    output.result(dict(found), verified_text(found))


def _query(since: str | None, client: str | None, user: str | None, tool: str | None, result: str | None) -> AuditQuery:
    start = time.time() - time_span(since, "--since") if since else 0.0
    return AuditQuery(start, client, user, tool, result)


def verified_text(found: Verified) -> str:
    if not found["lines"]:
        return f"{found['project']} has no line in its audit log yet"
    if found["last"] is None:
        return f"all {found['lines']} lines that are kept are as the instances wrote them"
    return f"all {found['lines']} lines are as they were written, from {found['first']} to {found['last']}"


def entry_text(entry: AuditEntry) -> str:
    who = " ".join(visible(each) for each in (entry["client_id"] or "nobody", entry["user_id"]) if each)
    what = visible(entry["tool_name"] or entry["method"])
    if "lost" in entry:
        what = f"{entry['lost']} calls whose lines could not be written"
    detail = ", ".join(filter(None, (entry["ip_address"], entry.get("reason"), f"{entry['ms']:.1f} ms")))
    return f"{entry['timestamp'][:19]}Z {entry['release']} {entry['result']:<12} {who}: {what} ({detail})"
