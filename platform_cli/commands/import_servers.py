"""Implements `homeport import`."""

from __future__ import annotations

from pathlib import Path

import click

from ..api.failure import error_answer
from ..config.mcp_servers import ServerEntry, entry_project, read_entries
from ..config.project import Project
from ..errors import HomeportError, InputError
from ..home import open_home
from .deploy import deploy
from .options import json_option, target_of, target_option
from .output import Output


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--only", multiple=True, metavar="NAME", help="Only the server of that name; repeatable.")
@target_option
@click.option("--dry-run", is_flag=True, help="Build and print the plans; change nothing that serves.")
@json_option
def import_command(file: Path, only: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Deploy each server in FILE: .mcp.json, claude_desktop_config.json, .vscode/mcp.json, ...

    Each becomes a project of its name; the values of its `env` become secrets. One that fails does not stop the others.
    """
    # A platform elsewhere could not read the commands of this machine.
    target_of(Project(folder=Path.cwd(), entrypoint=None)).check_builds_here()
    output = Output(as_json=as_json)
    answers = [_import(entry, output, dry_run=dry_run) for entry in _chosen(read_entries(file), only, file)]
    failed = [answer["server"] for answer in answers if not answer["ok"]]
    if as_json:
        output.result({"ok": not failed, "servers": answers}, "")
    if failed:
        click.get_current_context().exit(HomeportError.exit_code)


def _chosen(entries: list[ServerEntry], only: tuple[str, ...], file: Path) -> list[ServerEntry]:
    names = [entry.name for entry in entries]
    for name in only:
        if name not in names:
            raise InputError(f"{file} has no server {name!r}", hint=f"It has {', '.join(names) or 'none'}.")
    return [entry for entry in entries if not only or entry.name in only]


def _import(entry: ServerEntry, output: Output, *, dry_run: bool) -> dict[str, object]:
    """Deploys one server, and returns the result; a failure is shown, and the next ones are still deployed."""
    if not entry.command:
        output.note(f"{entry.name}: has a URL already, passed over")
        return {"server": entry.name, "ok": True, "passed_over": True}
    output.note(f"{entry.name}:")
    try:
        data, text = deploy(lambda: entry_project(entry, open_home()), output, allow_empty=False, dry_run=dry_run)
    except HomeportError as error:
        if not output.as_json:
            output.error(error)
        return {"server": entry.name, "ok": False, **error_answer(error)}
    if not output.as_json:
        output.result(data, text)
    return {"server": entry.name, **data}
