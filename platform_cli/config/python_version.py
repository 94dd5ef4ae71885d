"""Finds out which Python a project asks for, from the files that people write for other tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli

from .inline_metadata import inline_metadata
from .project import Project

# What pyenv and uv accept in .python-version: `3.12`, `3.12.1`, `cpython@3.12`, `cpython-3.12.1-linux-x86_64-gnu`.
_PINNED = re.compile(r"^(?:cpython[-@]?)?(\d+\.\d+)")
_CARET = re.compile(r"^\^\s*(\d+)(\.\d+)*$")
_TILDE = re.compile(r"^~\s*(\d+)\.(\d+)(\.\d+)*$")


def wanted_python(project: Project) -> str | None:
    """Returns the version (`3.12`) or PEP 440 specifier (`>=3.11`) that `project` asks for, None when it takes any.

    The first of these that says so decides: the configuration, the metadata in the server file (PEP 723), and, in the
    server's folder or the nearest one above it up to the project's, .python-version, pyproject.toml (`requires-python`,
    or poetry's `python`), or Pipfile. Of .python-version only the minor version counts, since packages are built for
    that.
    """
    return _said(project) or next(filter(None, map(_pinned, _folders(project))), None) or required_python(project)


def required_python(project: Project) -> str | None:
    """Returns what `wanted_python` does without .python-version: any Python that will do where that one is
    not at hand.
    """
    return _said(project) or next(filter(None, map(_required, _folders(project))), None)


def _said(project: Project) -> str | None:
    """Returns the Python that the configuration or the server file itself asks for, None when neither asks for one."""
    if project.python_version is not None or project.entrypoint is None:
        return project.python_version
    file = project.entrypoint.file
    inline = inline_metadata(project.folder / file, file).get("requires-python")
    return inline if isinstance(inline, str) else None


def _folders(project: Project) -> Iterator[Path]:
    server = project.entrypoint
    start = (project.folder / server.file).parent if server else project.folder / project.member
    return folders_up(start, project.folder)


def folders_up(folder: Path, root: Path) -> Iterator[Path]:
    """Yields `folder` and those above it up to `root`; only `root` if `folder` is not below it."""
    while folder != root and folder.is_relative_to(root):
        yield folder
        folder = folder.parent
    yield root


def specifier_of_poetry(constraint: str) -> str | None:
    """Returns Poetry's constraint in PEP 440's form, None if it has no such form.

    See https://python-poetry.org/docs/dependency-specification/#version-constraints.
    """
    # Imported late, since only constraints of Poetry have to be checked.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    parts = [_poetry_part(part.strip()) for part in constraint.split(",") if part.strip()]
    text = ",".join(part for part in parts if part)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return None
    return text or None


def _poetry_part(part: str) -> str:
    version = part.lstrip("^~ ")
    if match := _CARET.match(part):
        return f">={version},<{int(match[1]) + 1}"
    if match := _TILDE.match(part):
        return f">={version},<{match[1]}.{int(match[2]) + 1}"
    if part == "*":
        return ""
    return f"=={part}" if part[0].isdigit() else part


def _pinned(folder: Path) -> str | None:
    try:
        lines = (folder / ".python-version").read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError):
        return None
    return next((match[1] for line in lines if (match := _PINNED.match(line))), None)


def _required(folder: Path) -> str | None:
    data = _toml(folder / "pyproject.toml")
    if isinstance(python := _at(data, "project", "requires-python"), str):
        return python
    if isinstance(python := _at(data, "tool", "poetry", "dependencies", "python"), str):
        return specifier_of_poetry(python)
    requires = _at(_toml(folder / "Pipfile"), "requires")
    python = requires.get("python_version") or requires.get("python_full_version") if isinstance(requires, dict) else ""
    return python if isinstance(python, str) and python[:1].isdigit() else None


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomli.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}  # what is wrong with it is reported where its requirements are read


def _at(data: object, *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
