"""Takes the package of an installed program into the app, where it may write beside its own code.

What a layer holds is shared by projects and never changes, and a program that makes a folder for its logs or its
database beside itself ends there. As a part of the app a module of Python has its `__file__` in the project's working
folder (homeport_runtime.loading.importing), and a program of Node is run there. Which programs do so is known once one
has failed, and is remembered; those that would only fail in a later call are known by their code.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.project import Program, Project
from ..errors import InspectError
from ..home import write_atomic
from .model import Layer, SourceFile
from .node_members import MODULES
from .package import OwnPackage

if TYPE_CHECKING:
    from importlib.metadata import Distribution

# What Python and Node say of a file that may not be written.
_REFUSED = re.compile(r"\[Errno (?:13|30)\] [^:]+: '([^']+)'|\b(?:EROFS|EACCES): [^,\n]+, \w+ '([^']+)'")

# For each language what names the folder of the running file, and what writes a file or makes a folder. A module that
# has both is taken to write beside itself: for one that does not, being a part of the app changes nothing but how long
# its own import takes.
_PYTHON = (
    re.compile("__file__"),
    re.compile(
        r"\.mkdir\(|makedirs\(|\.write_(?:text|bytes)\(|\.touch\(|FileHandler\(|sqlite3\.connect\(|\bcopy2?\("
        r"|\bopen\((?:[^\n]{0,200},)?\s*(?:mode=)?[\"'][wax]b?[\"']"
    ),
)
_NODE = (
    re.compile(r"__dirname|import\.meta\.(?:url|dirname|filename)"),
    re.compile(r"\b(?:writeFile|appendFile|createWriteStream|copyFile|mkdir)(?:Sync)?\(|new (?:\w+\.)?Database\("),
)
_LANGUAGES = {".py": _PYTHON, ".js": _NODE, ".mjs": _NODE, ".cjs": _NODE}


@dataclass(frozen=True, slots=True)
class InstalledProgram:
    """Is a program whose code is in the layer: `package` are its files, and `project` runs it once these are a part of
    the app.
    """

    package: OwnPackage
    project: Project


def writes_beside_itself(error: InspectError, layer: Layer) -> bool:
    """Tells whether the server ended since it may not write into the layer."""
    paths = ("".join(match) for match in _REFUSED.findall(error.message))
    return any(layer.hash in Path(path).parts for path in paths)


def may_write_beside_itself(package: OwnPackage) -> bool:
    """Tells whether the code of a program's package looks as if it did so, be it in a later call only."""
    for file in package.files:
        path = Path(file.path)
        if path.suffix in _LANGUAGES and MODULES not in path.parts:
            text = (package.folder / path).read_text(encoding="utf-8", errors="replace")
            if all(sign.search(text) for sign in _LANGUAGES[path.suffix]):
                return True
    return False


def program_name(project: Project, files: Sequence[SourceFile]) -> str | None:
    """Returns the module or the package of the project's program if that is installed, None if it is its own, as
    `files` are, or of another kind.
    """
    if project.program:
        return None if files else project.program.module
    if not project.command or project.command[0] != "node":
        return None
    modules, *parts = Path(*project.command[1:2]).parts or ("",)
    name = "/".join(parts[: 2 if parts and parts[0].startswith("@") else 1])
    is_taken = any(file.path.startswith(f"{name}/") for file in files)
    return name if name and modules == MODULES and ".." not in parts and not is_taken else None


def writing_program(project: Project, name: str, layer: Layer, cache: Path) -> InstalledProgram | None:
    """Returns the project's installed program `name` if it writes beside its own code, or looks as if it did so; else
    None.

    The code of a layer never changes, and is searched once.
    """
    if _remembered(name, layer, cache).exists():
        return installed_program(project, name, layer)
    searched = _remembered(name, layer, cache, "searched")
    if searched.exists():
        return None
    program = installed_program(project, name, layer)
    if may_write_beside_itself(program.package):
        remember(name, layer, cache)
        return program
    write_atomic(searched, b"")
    return None


def installed_program(project: Project, name: str, layer: Layer) -> InstalledProgram:
    """Returns the project's installed program `name`.

    The package of a program of Python is empty if none of the layer's has the module.
    """
    if project.program:
        return InstalledProgram(program_package(project.program, layer), project)
    node, file, *arguments = project.command or ()
    moved = replace(project, command=(node, file.removeprefix(f"{MODULES}/"), *arguments))
    return InstalledProgram(_node_package(name, layer.path / MODULES), moved)


def program_package(program: Program, layer: Layer) -> OwnPackage:
    """Returns the package of `program` as files of the app; it is empty if none of the layer's has the module."""
    # Imported late, since few programs need it.
    from importlib.metadata import distributions

    found = next((each for each in distributions(path=[str(layer.path)]) if _has(each, program)), None)
    listed = sorted(path.as_posix() for path in found.files or () if _is_source(path.parts)) if found else []
    # A package lists its files itself, and may name others than its own.
    real = layer.path.resolve()
    paths = [path for path in listed if (file := (real / path).resolve()).is_file() and file.is_relative_to(real)]
    files = (SourceFile(path, _sha256(layer.path / path), executable=False) for path in paths)
    return OwnPackage(("",), tuple(files), layer.path)


def remember(name: str, layer: Layer, cache: Path) -> None:
    write_atomic(_remembered(name, layer, cache), b"")


def _node_package(name: str, modules: Path) -> OwnPackage:
    """Returns the files of the package, with those that npm has installed for it alone. What its program needs besides
    is found in the layer, which node_modules in the working folder leads to.
    """
    return OwnPackage((), tuple(_node_files(modules, modules / name)), modules)


def _node_files(modules: Path, package: Path) -> Iterator[SourceFile]:
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(each for each in folders if each != ".bin")
        for path in (Path(folder, name) for name in sorted(names)):
            if path.is_file() and not path.is_symlink():
                executable = os.access(path, os.X_OK)
                yield SourceFile(path.relative_to(modules).as_posix(), _sha256(path), executable)


def _remembered(name: str, layer: Layer, cache: Path, what: str = "beside") -> Path:
    return cache / "packages" / what / f"{layer.hash[:32]}-{name.replace('/', '+')}"


def _has(distribution: Distribution, program: Program) -> bool:
    module = program.module.replace(".", "/")
    names = {f"{module}.py", f"{module}/__init__.py", f"{module}/__main__.py"}
    return any(path.as_posix() in names for path in distribution.files or ())


def _is_source(parts: tuple[str, ...]) -> bool:
    return (
        parts[0] != "bin" and ".." not in parts and "__pycache__" not in parts and not parts[0].endswith(".dist-info")
    )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
