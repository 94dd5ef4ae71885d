"""Compiles Python files for an image, whose server cannot write bytecode of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import BuildError
from ..pipeline.model import Interpreter

# One file has the bytecode of a whole part, and processes are forked: a file for each source took longer to write than
# all took to compile.
COMPILE = """
import importlib.util, json, marshal, os, sys

def compiled(source, shown):
    with open(source, "rb") as file:
        text = file.read()
    try:
        code = compile(text, shown, "exec", dont_inherit=True)
    except Exception:
        return b""
    return head + importlib.util.source_hash(text) + marshal.dumps(code)

def compile_part(part, target):
    found = [compiled(*job) for job in part]
    with open(target, "wb") as file:
        file.write(json.dumps([len(bytecode) for bytecode in found]).encode() + b"\\n" + b"".join(found))

def in_another_process(part, target):
    if os.fork() == 0:
        try:
            compile_part(part, target)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        os._exit(0)

def wait():
    if os.wait()[1]:
        sys.exit(1)

most, flags, parts = json.load(sys.stdin)
head = importlib.util.MAGIC_NUMBER + flags.to_bytes(4, "little")
for number, (part, target) in enumerate(parts):
    if number >= most:
        wait()
    in_another_process(part, target)
for _ in parts[:most]:
    wait()
"""
# What a process has compiled before decides which of its strings are shared, and so the bytes that follow: each part
# of so many files has a process of its own, whatever the machine. The order of sets in constants hangs on the seed.
PART = 128
REPRODUCIBLE = {"PYTHONHASHSEED": "0"}
# As PEP 552 has them: bytecode is known by a hash of its source, since all files of an image have the same date, and
# that is compared with the source when it is loaded, or never.
UNCHECKED, CHECKED = 0b01, 0b11


def compile_files(
    files: Mapping[str, Path], own: Interpreter, folder: Path, flags: int = UNCHECKED
) -> dict[str, bytes]:
    """Returns the bytecode of `files` (path in the image -> file), by its paths in the image; `folder` is for its use.

    `flags` say whether it is compared with the sources in the image, which may be others than here with CHECKED alone.
    Files that are not of this Python, such as templates, have none. Raises BuildError if `folder` cannot be written.
    """
    parts = {folder / f"{number}.bytecode": part for number, part in enumerate(_parts(sorted(files)))}
    jobs = [([(str(files[name]), f"/{name}") for name in part], str(target)) for target, part in parts.items()]
    command = [str(own.path), "-s", "-S", "-X", "utf8", "-c", COMPILE]
    work = json.dumps([os.cpu_count() or 1, flags, jobs])
    done = subprocess.run(command, input=work, text=True, capture_output=True, check=False, cwd="/", env=REPRODUCIBLE)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BuildError(f"bytecode for the image cannot be made: {reason}", hint="is there space left on the disk?")
    return {
        pyc_name(name, own): bytecode
        for target, part in parts.items()
        for name, bytecode in zip(part, _read(target), strict=True)
        if bytecode
    }


def _parts(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), PART):
        yield names[start : start + PART]


def _read(file: Path) -> Iterator[bytes]:
    """Yields the bytecode of each source of a part, empty where there is none."""
    head, _, content = file.read_bytes().partition(b"\n")
    start = 0
    for size in json.loads(head):
        yield content[start : start + size]
        start += size


def pyc_name(source: str, own: Interpreter) -> str:
    """Returns where Python looks for the bytecode of the file `source` (PEP 3147)."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-{own.minor.replace('.', '')}.pyc"
