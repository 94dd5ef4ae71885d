"""Explains from the project's folder why a server that is loaded lacks a file or a module."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..config.project import Project
from ..errors import InspectError
from ..pipeline.code import read_code
from ..project_files.ignore import Included, never_taken, why_left
from .left_behind import bring, named_paths

_FILE = re.compile(r"(?:No such file or directory|cannot open shared object file)[^'\n]*: '([^'\n]+)'")
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_DATABASE = "unable to open database file"
_DATABASES = (".db", ".sqlite", ".sqlite3", ".duckdb")
# Matches the working folder of an inspection, which stands for the project's folder.
_WORKDIR = re.compile(r"^.*?/files/")
# The number of levels below the project folder on which a module is searched for.
_DEPTH = 4


@contextmanager
def explained(project: Project) -> Iterator[None]:
    """Adds a hint to an InspectError whose cause is found in the project's folder."""
    try:
        yield
    except InspectError as error:
        hint = _why(error.message, project)
        if hint is None:
            raise
        raise InspectError(error.message, hint=hint) from error


def _why(message: str, project: Project) -> str | None:
    root = project.folder.resolve()
    if file := _FILE.search(message):
        return _about_file(root, _WORKDIR.sub("", file[1]), project)
    if module := _MODULE.search(message):
        return _about_module(root, module[1].partition(".")[0], project)
    if _DATABASE in message:
        # SQLite does not say which file it could not open.
        named = (path for path in named_paths(read_code(project)) if path.endswith(_DATABASES))
        return next(filter(None, (_about_folder(root, path) for path in named)), None)
    return None


def _about_file(root: Path, path: str, project: Project) -> str | None:
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        return None
    if (root / path).exists():
        why = why_left(root, path, Included(project.include))
        return f"{path} {why}, so it stays behind; {bring(path)}" if why else None
    return _about_folder(root, path) or f"{path} is not in the project folder: add it, or have the server make it"


def _about_folder(root: Path, path: str) -> str | None:
    """Returns what to do about the first missing folder on the way to `path`, None if all of them exist."""
    for folder in [str(parent) for parent in reversed(PurePosixPath(path).parents)][1:]:
        if not (root / folder).exists():
            why = why_left(root, f"{folder}/", Included(()))
            known = f": it {why}, and so it does not come with the code" if why else ""
            return f"the project has no folder {folder}{known}; `mkdir {folder}` makes it: empty folders are deployed"
    return None


def _about_module(root: Path, name: str, project: Project) -> str | None:
    for path in _modules(root, name):
        if why := why_left(root, path, Included(project.include)):
            return f"{path} {why}, so it stays behind; {bring(path)}"
        return (
            f"{path} is in the project, but not where the server's imports look: beside the server, in the project "
            "folder and in its src; move it there, or install it with the project (a build system in pyproject.toml)"
        )
    return None


def _modules(root: Path, name: str) -> Iterator[str]:
    """Yields the files and packages of that name, the nearest first."""
    level = [root]
    for _ in range(_DEPTH):
        below: list[Path] = []
        for folder in level:
            for path in (folder / f"{name}.py", folder / name):
                if path.is_file() or (path / "__init__.py").is_file():
                    yield path.relative_to(root).as_posix()
            below += [Path(entry.path) for entry in _folders(folder)]
        level = below


def _folders(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
    if any(child.name == "pyvenv.cfg" for child in children):
        return []
    return [child for child in children if child.is_dir(follow_symlinks=False) and not never_taken(child.name)]
