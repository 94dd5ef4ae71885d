"""Builds the app of a project of Node with the packages of its layer."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..config.package_json import TYPESCRIPT, read_package, start_command
from ..config.project import Project
from ..errors import BuildError
from .model import SourceFile
from .node import npm_with_scripts
from .node_members import MODULES, is_member, link_packages, used_packages
from .source import copy_source

# What a file of Node takes from beside it: `import x from "./x.js"`, `import("./x.js")`, `require("./x")`.
_BESIDE = re.compile(r"""\b(?:from|import|require)\s*\(?\s*["'](\.{1,2}/[^"'\n]+)["']""")
_ENDINGS = ("", ".js", ".mjs", ".cjs", ".json", "/index.js", "/index.cjs")
# The bytes of a file that only starts what a build makes. A longer one may be a build itself, with such words in it.
_MAX_LAUNCHER = 8192


def build_app(project: Project, layer: Path, files: Sequence[SourceFile], cache: Path) -> Project | None:
    """Runs the build scripts of the project's packages on a copy of `files` if that is to make the program, and returns
    the project in the copy's folder.

    A package of a workspace is built after those beside it that it needs. Returns None when there is nothing to build.
    Raises BuildError when a script fails, or does not make the program.
    """
    command = project.command or ()
    program = os.path.normpath(command[1]) if command[:1] in (("node",), ("bun",)) and len(command) > 1 else None
    if program is None or program.startswith(MODULES):
        return None
    packages = used_packages(project) if is_member(project) else ("",)
    scripted = [package for package in packages if _has_build_script(project.folder / package)]
    if _is_complete(project.folder, program, files):
        scripted = [package for package in scripted if package != project.member]
    if not scripted and len(packages) == 1:
        return None
    identity = _hash(layer.name, project.member, *(f"{file.path} {file.sha256}" for file in files))
    final = cache / "node" / identity
    if not final.is_dir():
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=".") as temporary:
            folder = Path(temporary, "app")
            _build(project, layer, files, folder, scripted)
            if not _made(folder, program, files):
                raise BuildError(f"`npm run build` did not make {program}", hint="Name what runs in a fastmcp.toml.")
            folder.rename(final)
    made = _made(final, program, files) or program
    linked = [f"{package}/{MODULES}" for package in packages if (final / package / MODULES).is_dir()]
    runs = _runnable(final, (command[0], made, *command[2:]), project.member)
    return replace(project, folder=final, command=runs, include=tuple(linked))


def _is_complete(folder: Path, program: str, files: Sequence[SourceFile]) -> bool:
    """Tells whether the program is among the files, and what it takes from beside it if it is short."""
    known = {file.path for file in files}
    return program in known and _has_all(folder, program, known.__contains__)


def _has_all(folder: Path, program: str, exists: Callable[[str], bool]) -> bool:
    """Tells whether what the program takes from beside it exists. It is not looked for where TypeScript finds it."""
    if (folder / program).stat().st_size > _MAX_LAUNCHER or program.endswith(TYPESCRIPT):
        return True
    text = (folder / program).read_text(encoding="utf-8", errors="replace")
    taken = (os.path.normpath(Path(program).parent / path) for path in _BESIDE.findall(text))
    return all(any(exists(f"{path}{ending}") for ending in _ENDINGS) for path in taken)


def _runnable(folder: Path, command: tuple[str, ...], member: str) -> tuple[str, ...]:
    """Returns `command`, or the start script in its place if what it takes was not built, and that one's file was."""
    if not (folder / command[1]).is_file() or _has_all(folder, command[1], lambda path: (folder / path).exists()):
        return command
    start = start_command(read_package(folder / member) or {}, member) or ()
    return start if start[:1] == ("node",) and (folder / "".join(start[1:2])).is_file() else command


def _made(folder: Path, program: str, files: Sequence[SourceFile]) -> str | None:
    """Returns the path of the program in what was built, None without it.

    Where `program` is not, it is the only new file of its name: package.json may still have the `main` of `npm init`.
    """
    if (folder / program).is_file():
        return program
    known = {file.path for file in files}
    found = (path.relative_to(folder) for path in sorted(folder.rglob(Path(program).name)))
    new = [path.as_posix() for path in found if path.as_posix() not in known and MODULES not in path.parts]
    return new[0] if len(new) == 1 else None


def _build(project: Project, layer: Path, files: Sequence[SourceFile], folder: Path, packages: Sequence[str]) -> None:
    copy_source(project.folder, files, folder)
    (folder / MODULES).symlink_to(layer / MODULES)
    if is_member(project):
        link_packages(project, folder)
    for package in packages:
        where = ("--prefix", package) if package else ()
        npm_with_scripts([*where, "run", "build"], folder, layer)
    (folder / MODULES).unlink()
    for ignoring in folder.rglob(".gitignore"):  # it ignores what was built, which belongs to the app
        ignoring.unlink()


def _has_build_script(folder: Path) -> bool:
    package = read_package(folder) or {}
    return isinstance(package.get("scripts"), dict) and "build" in package["scripts"]


def _hash(*texts: str) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()
