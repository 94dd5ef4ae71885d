"""homeport init"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from ..build.model import Requirements
from ..build.requirements import resolve_requirements
from ..config.init import render_init
from ..config.load import load_project
from ..config.names import slugify
from ..config.project import Entrypoint
from ..config.server_name import server_name
from ..errors import HomeportError, InputError
from ..output import Output
from .options import json_option


@click.command("init")
@click.argument("path", default=".")
@json_option
def init_command(path: str, as_json: bool) -> None:
    """Write a commented fastmcp.toml for the server at PATH (a file, FILE:OBJECT, or a folder)."""
    _refuse_overwriting(Path(path) if Path(path).is_dir() else Path(path).parent)
    project = load_project(path)
    if project.entrypoint is None:
        raise InputError(f"{path} has no server file to write a fastmcp.toml for")
    requirements = resolve_requirements(project)
    name = _name(project.folder, project.entrypoint)
    file = project.folder / "fastmcp.toml"
    text = _found(requirements) + render_init(project.folder, project.entrypoint, name, None)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise HomeportError(f"{file} cannot be written: {error.strerror}") from error
    command = "homeport deploy" if project.folder == Path.cwd() else f"homeport deploy {shlex.quote(path)}"
    data = {
        "ok": True,
        "path": str(file),
        "name": name,
        "entrypoint": str(project.entrypoint),
        "requirements": {"origin": requirements.origin, "inferred": list(requirements.inferred)},
    }
    lines = [f"wrote {file}", f"server: {project.entrypoint}, project {name}", f"requirements: {_from(requirements)}"]
    Output(as_json=as_json).result(data, "\n".join([*lines, f"next: {command}"]))


def _refuse_overwriting(folder: Path) -> None:
    """A fastmcp.json as well: it would no longer be read once there is a fastmcp.toml."""
    for name in ("fastmcp.toml", "fastmcp.json"):
        if os.path.lexists(folder / name):
            raise InputError(f"{folder / name} is there already", hint="edit it, or move it away first")


def _name(folder: Path, entrypoint: Entrypoint) -> str:
    """What a deploy without a fastmcp.toml would call the project, as far as the source tells."""
    named = server_name((folder / entrypoint.file).read_bytes())
    return slugify(named or "") or slugify(folder.name) or "server"


def _from(requirements: Requirements) -> str:
    return (
        f"{', '.join(requirements.inferred)} (from {requirements.origin})"
        if requirements.inferred
        else requirements.origin
    )


def _found(requirements: Requirements) -> str:
    return f"# Requirements: {_from(requirements)}\n" if requirements.inferred else ""
