"""Compiles Python files for an image, whose server cannot write bytecode of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import BuildError
from ..pipeline.model import Interpreter

# The bytecode is never compared with its source, since all files of an image have the same date (PEP 552).
COMPILE = """
import json, py_compile, sys
for source, target, shown in json.load(sys.stdin):
    try:
        py_compile.compile(source, target, shown, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, ValueError, RecursionError):
        pass
"""
# What a process has compiled before decides which of its strings are shared, and so the bytes that follow: the parts
# are the same whatever the machine. The order of sets in constants hangs on the seed.
PARTS = 16
REPRODUCIBLE = {"PYTHONHASHSEED": "0"}


def compile_files(files: Mapping[str, Path], own: Interpreter, folder: Path) -> dict[str, Path]:
    """Compiles `files` (path in the image -> file) into `folder`; returns the bytecode by its paths in the image.

    Files that are not of this Python, such as templates, have none. Raises BuildError if it cannot be written.
    """
    targets = {name: folder / str(index) for index, name in enumerate(sorted(files))}
    jobs = [[str(files[name]), str(target), f"/{name}"] for name, target in targets.items()]
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        list(pool.map(lambda part: _compile(part, own), _parts(jobs)))
    finally:
        pool.shutdown(cancel_futures=True)
    return {_pyc_name(name, own): target for name, target in targets.items() if target.exists()}


def _parts(jobs: list[list[str]]) -> Iterator[list[list[str]]]:
    size = -(-len(jobs) // PARTS) or 1
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


def _compile(jobs: list[list[str]], own: Interpreter) -> None:
    command = [str(own.path), "-s", "-S", "-X", "utf8", "-c", COMPILE]
    done = subprocess.run(
        command, input=json.dumps(jobs), text=True, capture_output=True, check=False, cwd="/", env=REPRODUCIBLE
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BuildError(f"bytecode for the image cannot be made: {reason}", hint="is there space left on the disk?")


def _pyc_name(source: str, own: Interpreter) -> str:
    """Returns where Python looks for the bytecode of the file `source` (PEP 3147)."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-{own.minor.replace('.', '')}.pyc"
