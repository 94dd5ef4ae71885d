"""Finds .env files, which are not deployed, since no release has secrets in its files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..config.project import Project
from ..errors import InputError
from ..pipeline.code import listed
from ..secrets.dotenv import parse_dotenv
from .model import Finding


def find_dotenv(project: Project) -> Iterator[Finding]:
    """Yields the .env files beside the server and in the project folder that set variables the server does not get."""
    for path in _files(project):
        names = dotenv_names(path)
        lacking = [name for name in names if name not in project.environment]
        if names and not lacking:
            continue
        shown = os.path.relpath(path)
        what = f": {listed(lacking)} not set for the server" if lacking else ""
        yield Finding(
            "dotenv",
            f"{shown} stays behind{what}",
            f"deploy with --env-file {shown} takes it along as secrets; "
            f"`homeport set-secret --env-file {shown}` stores them for ${{secrets.NAME}} in [environment]",
        )


def names_in_dotenv(project: Project) -> set[str]:
    return {name for path in _files(project) for name in dotenv_names(path)}


def dotenv_names(path: Path) -> tuple[str, ...]:
    """Returns the names that a .env file sets, none if it cannot be read."""
    try:
        return tuple(parse_dotenv(path.read_text(encoding="utf-8"), path.name))
    except (OSError, UnicodeDecodeError, InputError):
        return ()


def _files(project: Project) -> list[Path]:
    beside = [(project.folder / project.entrypoint.file).parent] if project.entrypoint else []
    places = dict.fromkeys([*beside, project.folder])
    return [file for place in places if (file := place / ".env").is_file() and ".env" not in project.include]
