"""Implements `homeport audit export-to`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..audit_exports.destination import read_destination
from ..errors import InputError
from .options import json_option, local_client, running
from .output import Output, table, visible

if TYPE_CHECKING:
    from ..api.audit_export import ListedAuditExport


@click.group("export-to")
def export_to_command() -> None:
    """Send audit logs to a SIEM as calls happen: by syslog, a webhook or OpenTelemetry.

    On the machine of the platform. No call waits for it, and each line is sent until the receiver has taken it.
    """


@export_to_command.command("add")
@click.argument("url")
@click.option("--project", metavar="NAME", help="Only the audit log of this project; else of all, also later ones.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME", help="A header for a collector; its value is asked for."
)
@click.option(
    "--ca", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
    help="The receiver's own certificate authority, in PEM.",
)  # fmt: skip
@click.option("--private", is_flag=True, help="The receiver may be in the platform's own network, and plain http.")
@click.option("--from-start", is_flag=True, help="Also what the audit logs have already.")
@json_option
def add_export(
    url: str, project: str | None, headers: tuple[str, ...], ca: Path | None, private: bool, from_start: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Send audit logs to URL: syslog+tls://HOST[:6514], https://... or otlp+https://.../v1/logs.

    A webhook gets lines as JSON, signed with a key that is printed once. With - as URL it is read from standard input,
    and so are the values of headers: others on this machine could see what is typed as an argument.
    """
    url = _read_value("URL") if url == "-" else url
    # Before anybody is asked for more.
    read_destination(url, private=private)
    wanted = {name: _read_value(name) for name in headers}
    pem = ca.read_text("ascii", "replace") if ca is not None else None
    made = running(local_client(), changes=True).add_audit_export(
        {"url": url, "project": project, "headers": wanted, "ca": pem, "private": private, "from_start": from_start}
    )
    text = f"{made['id']} sends the audit log of {made['project'] or 'every project'} to {visible(made['target'])}"
    if made["key"]:
        text += f"\nits messages are signed with {made['key']}: keep it now, it is not shown again"
    Output(as_json=as_json).result({"ok": True, **made}, text)


@export_to_command.command("list")
@json_option
def list_exports(as_json: bool) -> None:
    """List where audit logs are sent, and how far that has come."""
    exports = running(local_client(), changes=False).audit_exports()
    columns = ("export", "to", "project", "to send", "last sent", "problem")
    text = table(columns, list(map(_row, exports))) if exports else "audit logs are sent nowhere"
    Output(as_json=as_json).result({"ok": True, "exports": exports}, text)


@export_to_command.command("remove")
@click.argument("export")
@json_option
def remove_export(export: str, as_json: bool) -> None:
    """Send nothing more to EXPORT, whose name is in `homeport audit export-to list`."""
    running(local_client(), changes=True).remove_audit_export(export)
    Output(as_json=as_json).result({"ok": True, "removed": export}, f"nothing more is sent to {export}")


def _read_value(what: str) -> str:
    if sys.stdin.isatty():
        value: str = click.prompt(what, hide_input=True, err=True)
        return value
    value = sys.stdin.readline().strip()
    if not value:
        raise InputError(f"standard input has no line for {what}")
    return value


def _row(export: ListedAuditExport) -> tuple[str, ...]:
    sent = export["sent_at"]
    when = "-" if sent is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(sent))
    target, problem = visible(export["target"]), visible(export["failure"] or "-")
    return export["id"], target, export["project"] or "all", str(export["behind"]), when, problem
