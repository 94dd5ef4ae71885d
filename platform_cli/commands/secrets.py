"""Implements `homeport set-secret`, `list-secrets` and `unset-secret`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.names import check_name
from ..errors import InputError
from ..secrets.base import MAX_VALUE_BYTES, check_secret, check_secret_name
from ..targets.base import AnyTarget
from .env_file import read_env_file
from .options import json_option, running_target, target_option
from .output import Output, table
from .project_here import project_here

if TYPE_CHECKING:
    from ..api.secret import SecretsSet

project_option = click.option("--project", metavar="NAME", help="Default: the project of this folder.")


@click.command("set-secret")
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.option("--env-file", type=click.Path(path_type=Path), metavar="FILE", help="Set every KEY=VALUE of a .env file.")
@project_option
@target_option
@json_option
def set_secret_command(
    name: str | None, value: str | None, env_file: Path | None, project: str | None, as_json: bool
) -> None:
    """Set the secret NAME, for ${secrets.NAME} in [environment]; what runs gets it at once, without a rebuild.

    Without VALUE it is asked for and not shown; with - it is read from standard input (one line end at its end is
    left out). A VALUE that is typed stays in the shell's history, and others on this machine can see it for a moment.
    """
    output = Output(as_json=as_json)
    values = _values(name, value, env_file)
    for key, text in values.items():
        check_secret(key, text)
    target, chosen = _target_and_project(project, changes=True)
    answer = target.set_secrets(chosen, values)
    output.result({"ok": True, "names": list(values), **answer}, _set_text(list(values), answer))


def _values(name: str | None, value: str | None, env_file: Path | None) -> dict[str, str]:
    if env_file is not None:
        if name is not None:
            raise InputError("--env-file has the names already", hint="homeport set-secret --env-file .env")
        return read_env_file(env_file)
    if name is None:
        raise InputError("no name", hint="homeport set-secret NAME")
    check_secret_name(name)
    return {name: _value(name, value)}


def _value(name: str, value: str | None) -> str:
    if value == "-":
        # One byte more than is allowed is enough to find that it is too long.
        data = sys.stdin.buffer.read(MAX_VALUE_BYTES + 3)
        text = _decode(data, f"the value of {name}")
        return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if value is not None:
        return value
    if not sys.stdin.isatty():
        raise InputError(f"no value for {name}", hint=f"`homeport set-secret {name} -` reads it from standard input")
    asked: str = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    return asked


def _decode(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{what} is not UTF-8 text") from None


def _set_text(names: list[str], answer: SecretsSet) -> str:
    project = answer["project"]
    unchanged = [name for name in names if name not in answer["changed"]]
    lines = [f"{project}: {', '.join(answer['changed'])} set"] if answer["changed"] else []
    lines += [f"{project}: {', '.join(unchanged)} had that value already"] if unchanged else []
    lines += [f"{project} {answer['release']} serves with it"] if answer["release"] else []
    return "\n".join(lines)


@click.command("list-secrets")
@project_option
@target_option
@json_option
def list_secrets_command(project: str | None, as_json: bool) -> None:
    """List the secrets: names, versions, when they were set, which releases use them. Values are never shown."""
    target, chosen = _target_and_project(project, changes=False)
    secrets = target.secrets(chosen)
    rows = [
        (
            secret["name"],
            f"{version['version']}{' (current)' if version['version'] == secret['version'] else ''}",
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(version["set_at"])),
            ", ".join(version["releases"]) or "-",
        )
        for secret in secrets
        for version in secret["versions"]
    ]
    text = table(("secret", "version", "set", "used by"), rows) if rows else f"{chosen} has no secrets"
    Output(as_json=as_json).result({"ok": True, "project": chosen, "secrets": secrets}, text)


@click.command("unset-secret")
@click.argument("name")
@project_option
@target_option
@json_option
def unset_secret_command(name: str, project: str | None, as_json: bool) -> None:
    """Unset the secret NAME: no new release gets it. Releases that have it keep it, for a rollback."""
    check_secret_name(name)
    target, chosen = _target_and_project(project, changes=True)
    answer = target.unset_secret(chosen, name)
    text = f"{chosen}: {name} is unset"
    if answer["in_use"]:
        text += f"; {answer['in_use']}, which serves, keeps it until the next deploy"
    Output(as_json=as_json).result({"ok": True, **answer}, text)


def _target_and_project(project: str | None, *, changes: bool) -> tuple[AnyTarget, str]:
    if project is not None:
        check_name(project, "--project")
    target = running_target(changes=changes)
    chosen = project or project_here(Path.cwd(), target)
    if chosen is None:
        raise InputError(
            "this folder has no project yet",
            hint="name it with --project, or with name under [project] in a fastmcp.toml here",
        )
    return target, chosen
