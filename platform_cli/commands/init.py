"""Implements `homeport init`."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path, PurePosixPath

import click

from ..config.init import render_init
from ..config.load import load_project
from ..config.names import slugify
from ..config.project import Project
from ..config.root import find_root
from ..config.server_name import server_name
from ..errors import HomeportError, InputError
from ..pipeline.model import Requirements
from ..pipeline.requirements import resolve_requirements
from .options import json_option
from .output import Output


@click.command("init")
@click.argument("path", default=".")
@json_option
def init_command(path: str, as_json: bool) -> None:
    """Write a commented fastmcp.toml for the server at PATH (a file, FILE:OBJECT, or a folder)."""
    given = Path(path) if Path(path).is_dir() else Path(path).parent
    _refuse_overwriting(find_root(given.resolve()).config)
    project = load_project(path)
    folder = Path(project.place)
    entrypoint = _entrypoint(project)
    if entrypoint is None:
        raise InputError(f"{path} has no server file to write a fastmcp.toml for")
    requirements = resolve_requirements(project)
    name = _name(project, folder)
    file = folder / "fastmcp.toml"
    text = _found(requirements) + render_init(folder, entrypoint, name, None)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise HomeportError(f"{file} cannot be written: {error.strerror}") from error
    command = "homeport deploy" if folder == Path.cwd() else f"homeport deploy {shlex.quote(path)}"
    data = {
        "ok": True,
        "path": str(file),
        "name": name,
        "entrypoint": entrypoint,
        "requirements": {"origin": requirements.origin, "inferred": list(requirements.inferred)},
    }
    lines = [f"wrote {file}", f"server: {entrypoint}, project {name}", f"requirements: {_from(requirements)}"]
    Output(as_json=as_json).result(data, "\n".join([*lines, f"next: {command}"]))


def _refuse_overwriting(folder: Path) -> None:
    """Raises InputError if there is a fastmcp.toml, or a fastmcp.json, which would not be read beside a new
    fastmcp.toml.
    """
    for name in ("fastmcp.toml", "fastmcp.json"):
        if os.path.lexists(folder / name):
            raise InputError(f"{folder / name} is there already", hint="edit it, or move it away first")


def _entrypoint(project: Project) -> str | None:
    """Returns what runs in the form of the project's fastmcp.toml."""
    if project.entrypoint:
        file = PurePosixPath(project.entrypoint.file).relative_to(project.member).as_posix()
        return str(replace(project.entrypoint, file=file))
    return (project.program.name or project.program.module) if project.program else None


def _name(project: Project, folder: Path) -> str:
    """Returns the name that a deploy without a fastmcp.toml would use, as far as the source tells."""
    named = server_name((project.folder / project.entrypoint.file).read_bytes()) if project.entrypoint else None
    return slugify(named or "") or slugify(folder.name) or "server"


def _from(requirements: Requirements) -> str:
    return (
        f"{', '.join(requirements.inferred)} (from {requirements.origin})"
        if requirements.inferred
        else requirements.origin
    )


def _found(requirements: Requirements) -> str:
    return f"# Requirements: {_from(requirements)}\n" if requirements.inferred else ""
