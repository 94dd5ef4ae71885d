"""Limits the versions of the SDKs to those that a project's code is written for, where its requirements do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..config.command import package_name
from ..config.project import Program, Project
from ..errors import SourceError
from ..project_files.modules import Module, parse_module
from ..project_files.sdk import sdk_requirements
from .code import Code
from .layer import build_layer
from .lock import part_of
from .model import Interpreter, Lock
from .programs import program_of

# The number of a package's files that are searched for signs of an SDK's version.
MAX_FILES = 500
# The limits beyond which a version is too new for some code.
OLDEST = ("mcp<2", "fastmcp<3")


def sdk_bounds(project: Project, code: Sequence[Code]) -> tuple[str, ...]:
    """Returns the upper limits on mcp and fastmcp (`mcp<2`) of the server's `code`, or of its program's package.

    There are none if the code shows no sign of a version, or cannot be parsed here.
    """
    if project.program is not None:
        return _bounds(list(_package(project.folder / project.member, project.program)))
    return _bounds([each.module for each in code])


def script_bounds(project: Project, script: str, lock: Lock, interpreter: Interpreter, layers: Path) -> tuple[str, ...]:
    """Returns the upper limits on mcp and fastmcp of the package that `script` runs, if `lock` goes beyond them.

    Its code can be searched only once it is installed. The packages that the project names are therefore installed
    without what these need, and all of the lock only where another package has the code. Raises what `build_layer` and
    `program_of` raise.
    """
    # Imported late, since only a package's own program needs it.
    from .resolve import exceeded

    if not exceeded(OLDEST, lock.text):
        return ()
    named = [name for requirement in project.dependencies if (name := package_name(requirement))]
    for part in [part_of(lock, named), lock] if named else [lock]:
        layer, _ = build_layer(part, interpreter, layers)
        try:
            modules = list(_package(layer.path, program_of(layer.path, script)))
        except SourceError:
            if part is lock:
                raise
            continue
        if modules:
            bounds = _bounds(modules)
            return bounds if exceeded(bounds, lock.text) else ()
    return ()


def _bounds(modules: list[Module]) -> tuple[str, ...]:
    imported = {found.name for module in modules for found in module.imports if not found.level}
    limits = sdk_requirements([module.tree for module in modules], imported)
    return tuple(sorted(limit for limit in limits if "<" in limit and ">" not in limit))


def _package(root: Path, program: Program) -> Iterator[Module]:
    for file in _files_of_package(root, program.module.partition(".")[0]):
        try:
            yield parse_module(file, file.name)
        except SourceError:
            continue


def _files_of_package(root: Path, name: str) -> list[Path]:
    for place in (root / "src", root):
        if (place / name).is_dir():
            return sorted((place / name).rglob("*.py"))[:MAX_FILES]
        if (place / f"{name}.py").is_file():
            return [place / f"{name}.py"]
    return []
