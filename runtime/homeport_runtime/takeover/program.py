"""Runs a Python program as `python FILE`, `python -m MODULE` or its console script does, in this process."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..errors import ServerError
from ..loading.importing import AppImports
from ..loading.manifest import Program

MAIN = "__main__"


def run_program(program: Program, imports: AppImports) -> ModuleType | None:
    """Runs the program to its end, and returns its main module, None for a console script.

    Raises SystemExit for an exit code other than success, and whatever the program raises.
    """
    try:
        if program.file is not None:
            sys.argv[:] = [program.file, *program.args]
            return imports.run_file(program.file)
        sys.argv[:] = [program.name, *program.args]
        imports.install()
        if program.function is None:
            return _run_module(program.module)
        raise SystemExit(_find(program.module, program.function)())
    except SystemExit as stop:
        if stop.code in (None, 0):
            return sys.modules.get(MAIN) if program.function is None else None
        raise


def command(program: Program) -> tuple[str, ...]:
    """Returns the command that runs the program in a process of its own, the interpreter first."""
    if program.file is not None:
        return (sys.executable, program.file, *program.args)
    if program.function is None:
        return (sys.executable, "-m", program.module, *program.args)
    code = (
        f"import sys, {program.module}; sys.argv[0] = {program.name!r}; sys.exit({program.module}.{program.function}())"
    )
    return (sys.executable, "-c", code, *program.args)


def _run_module(name: str) -> ModuleType:
    """Runs a package's __main__, or the module itself, as `python -m` does
    (https://docs.python.org/3/using/cmdline.html).
    """
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.{MAIN}")
    loader: Any = spec.loader if spec is not None else None
    if spec is None or not hasattr(loader, "get_code"):
        raise ServerError(
            f"there is no program `python -m {name}`", hint="a module, or a package that has a __main__.py, is expected"
        )
    module = ModuleType(MAIN)
    module.__file__, module.__spec__, module.__package__ = spec.origin, spec, spec.parent
    sys.modules[MAIN] = module
    if spec.origin:
        sys.argv[0] = spec.origin
    exec(loader.get_code(spec.name), vars(module))  # noqa: S102 - the person's program
    return module


def _find(module: str, function: str) -> Callable[[], Any]:
    found: Any = importlib.import_module(module)
    for part in function.split("."):
        if not hasattr(found, part):
            raise ServerError(f"{module} has no {function!r}", hint="correct what [project.scripts] says")
        found = getattr(found, part)
    result: Callable[[], Any] = found
    return result
