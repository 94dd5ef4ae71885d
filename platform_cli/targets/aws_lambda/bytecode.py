"""Compiles source files to bytecode for the Python of a function."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ...pipeline.model import Interpreter
from ...supervisor.launch import PYTHON_FLAGS

# The bytecode is never checked against the source, whose date on AWS is that of the archive.
COMPILE = """
import json, py_compile, sys
for source, target, shown in json.load(sys.stdin):
    try:
        py_compile.compile(source, target, shown, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError:
        pass
"""


def compile_files(files: Mapping[str, Path], own: Interpreter) -> dict[str, bytes]:
    """Returns the .pyc of each of `files`, by their paths below /opt/python, without those that do not compile."""
    with tempfile.TemporaryDirectory(prefix="homeport-bytecode-") as folder:
        return _compile(files, {name: Path(folder, str(index)) for index, name in enumerate(files)}, own)


def compile_in_place(files: Mapping[str, Path], own: Interpreter) -> dict[str, bytes]:
    """Compiles files that never change, as `compile_files` does, with the .pyc beside them.

    A process that loads the server here finds it, where it may not write itself.
    """
    return _compile(files, {name: file.parent / pyc_name(file.name, own) for name, file in files.items()}, own)


def _compile(files: Mapping[str, Path], targets: Mapping[str, Path], own: Interpreter) -> dict[str, bytes]:
    jobs = [[str(files[name]), str(target), f"/opt/python/{name}"] for name, target in targets.items()]
    command = [str(own.path), *PYTHON_FLAGS, "-c", COMPILE]
    subprocess.run(command, input=json.dumps(jobs), text=True, check=True, cwd="/")
    return {name: target.read_bytes() for name, target in targets.items() if target.exists()}


def pyc_name(source: str, own: Interpreter) -> str:
    """Returns where Python looks for the bytecode of the file `source` (PEP 3147)."""
    folder, _, name = source.rpartition("/")
    tag = f"cpython-{own.minor.replace('.', '')}"
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc".removeprefix("/")


def sources_of(modules: Iterable[str]) -> Iterator[str]:
    """Yields the files that `modules` may have been loaded from, by their paths in a layer."""
    for module in modules:
        base = module.replace(".", "/")
        yield f"{base}.py"
        yield f"{base}/__init__.py"
