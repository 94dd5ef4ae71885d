"""Locks requirements for another Python of this machine where the one that runs homeport does not fit them, or cannot
parse their code.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError, InspectError
from ..home import write_atomic
from .lock import OtherPythonError, lock_identity, make_lock
from .model import Interpreter, Layer, Lock, Requirements

_SYNTAX_ERROR = re.compile(r'File "([^"]+)", line \d+\n(?:.*\n)*?SyntaxError: ')
# What is inspected is a copy of the project, which is gone afterwards.
_INSPECTED = re.compile(r".*/inspect-[^/]+/files/")
_PARSE = "import ast, sys; ast.parse(open(sys.argv[1], 'rb').read())"
PARSE_TIMEOUT_S = 60.0


def fitting_lock(
    requirements: Requirements,
    first: Interpreter,
    find: Callable[[str], Interpreter],
    cache: Path,
    note: Callable[[str], None],
) -> tuple[Interpreter, Lock, bool]:
    """Returns the lock for the interpreter `first`, or for the one that `find` returns for what packages want
    (`>=3.12`), and whether the lock was found below `cache`.

    uv names what one package wants, and another may want more. Raises LockError when there is no solution, and what
    `find` raises.
    """
    remembered = _remembered(requirements, first, cache)
    wanted = remembered.read_text() if remembered.exists() and requirements.upgrade is None else ""
    interpreter = find(wanted) if wanted else first
    tried: set[Interpreter] = set()
    while True:
        try:
            lock, locked = make_lock(requirements, interpreter, cache)
            break
        except OtherPythonError as error:
            wanted = ",".join(filter(None, (wanted, error.python)))
            tried.add(interpreter)
            interpreter = find(wanted)
            if interpreter in tried:
                raise
    if wanted and not locked:
        note(f"Python {interpreter.version} serves, since {requirements.origin} wants {wanted}")
    if wanted:
        # Only what has led to a lock: a package that nothing here can run may have a version tomorrow that can.
        remember_python(wanted, requirements, first, cache)
    return interpreter, lock, locked


def newer_for_syntax(
    error: InspectError, layer: Layer, folder: Path, tried: Interpreter, find: Callable[[str], Interpreter]
) -> str | None:
    """Returns what to ask for (`>=3.12`) if the server ended at a module of the layer, or of the project in `folder`,
    that `tried` cannot parse, and a newer Python of this machine can; else None.

    Such a package says that it runs on older Pythons too, where its author has never tried it; such a project says
    nothing, or only in its README.
    """
    found = _SYNTAX_ERROR.search(error.message)
    if found is None:
        return None
    file = folder / _INSPECTED.sub("", found[1])
    if not file.is_file() or not (layer.hash in file.parts or file.is_relative_to(folder)):
        return None
    major, minor = map(int, tried.minor.split("."))
    wanted = f">={major}.{minor + 1}"
    try:
        newer = find(wanted)
    except InputError:
        return None
    # Parsing runs none of the code.
    command: list[str | Path] = [newer.path, "-I", "-c", _PARSE, file]
    parsed = subprocess.run(command, capture_output=True, timeout=PARSE_TIMEOUT_S, check=False)
    return wanted if parsed.returncode == 0 else None


def remember_python(wanted: str, requirements: Requirements, first: Interpreter, cache: Path) -> None:
    """Lets `fitting_lock` take the Python that is `wanted` for these requirements, instead of `first`."""
    write_atomic(_remembered(requirements, first, cache), wanted.encode())


def _remembered(requirements: Requirements, first: Interpreter, cache: Path) -> Path:
    return cache / "locks" / f"{lock_identity(requirements, first)}.python"
