"""Takes the package of an installed program into the app, where it may write beside its own code.

What a layer holds is shared by projects and never changes, and a program that makes a folder for its logs or its
database beside itself ends there. As a part of the app its modules have their `__file__` in the project's working
folder (homeport_runtime.loading.importing). Which programs do so is known once one has failed, and is remembered; those
that would only fail in a later call are known by their code.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.project import Program
from ..errors import InspectError
from ..home import write_atomic
from .model import Layer, SourceFile
from .package import OwnPackage

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_REFUSED = re.compile(r"\[Errno (?:13|30)\] [^:]+: '([^']+)'")

# What writes a file or makes a folder. A module that has this and `__file__` is taken to write beside itself: for one
# that does not, being a part of the app changes nothing but how long its own import takes.
_WRITES = re.compile(
    r"\.mkdir\(|makedirs\(|\.write_(?:text|bytes)\(|\.touch\(|FileHandler\(|sqlite3\.connect\(|\bcopy2?\("
    r"|\bopen\((?:[^\n]{0,200},)?\s*(?:mode=)?[\"'][wax]b?[\"']"
)


def writes_beside_itself(error: InspectError, layer: Layer) -> bool:
    """Tells whether the server ended since it may not write into the layer."""
    return any(layer.hash in Path(path).parts for path in _REFUSED.findall(error.message))


def may_write_beside_itself(package: OwnPackage) -> bool:
    """Tells whether the code of a program's package looks as if it did so, be it in a later call only."""
    for file in package.files:
        if file.path.endswith(".py"):
            text = (package.folder / file.path).read_text(encoding="utf-8", errors="replace")
            if "__file__" in text and _WRITES.search(text):
                return True
    return False


def writing_package(program: Program, layer: Layer, cache: Path) -> OwnPackage | None:
    """Returns the package of `program` if it writes beside its own code, or looks as if it did so; else None.

    The code of a layer never changes, and is searched once.
    """
    if is_known(program, layer, cache):
        return program_package(program, layer)
    searched = _remembered(program, layer, cache, "searched")
    if searched.exists():
        return None
    package = program_package(program, layer)
    if may_write_beside_itself(package):
        remember(program, layer, cache)
        return package
    write_atomic(searched, b"")
    return None


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


def is_known(program: Program, layer: Layer, cache: Path) -> bool:
    return _remembered(program, layer, cache).exists()


def remember(program: Program, layer: Layer, cache: Path) -> None:
    write_atomic(_remembered(program, layer, cache), b"")


def _remembered(program: Program, layer: Layer, cache: Path, what: str = "beside") -> Path:
    return cache / "packages" / what / f"{layer.hash[:32]}-{program.module}"


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
