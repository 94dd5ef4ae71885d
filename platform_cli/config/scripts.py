"""Reads the programs that a project declares from its files, and never runs them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .project import Program
from .pyproject import read_pyproject, table

# `module:object.attribute [extra]`, https://packaging.python.org/en/latest/specifications/entry-points/#data-model
_REFERENCE = re.compile(r"\s*([\w.]+)\s*:\s*([\w.]+)\s*(\[.*\])?\s*")


# The folders, beside the project's own, in which packages are found.
SOURCES = ("src", "lib", "python")


@dataclass(frozen=True, slots=True)
class ConsoleScript:
    """Holds a console script and, as `origin`, the file and key that declare it, for messages."""

    program: Program
    origin: str

    @property
    def name(self) -> str:
        return self.program.name


def console_scripts(folder: Path) -> tuple[ConsoleScript, ...]:
    """Returns the console scripts of the project in `folder`, from the first of its files that declares any."""
    for reader in (_from_pyproject, _from_setup_cfg, _from_setup_py):
        if found := tuple(reader(folder)):
            return found
    return ()


def module_file(package: Path, module: str) -> Path | None:
    """Returns the file of the project in `package` that is run as `module`, None when the project has none."""
    parts = Path(*module.split("."))
    for base in (package, *(package / name for name in SOURCES)):
        for file in (base / f"{parts}.py", base / parts / "__main__.py", base / parts / "__init__.py"):
            if file.is_file():
                return file
    return None


def parse_script(name: str, reference: object) -> Program | None:
    """Returns the console script that `reference` describes in the form of entry points, None if it is malformed."""
    match = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    return Program(match[1], match[2], name.strip()) if match else None


def _from_pyproject(folder: Path) -> Iterator[ConsoleScript]:
    data = read_pyproject(folder)
    yield from _parsed(table(data, "project", "scripts"), "[project.scripts] of pyproject.toml")
    poetry = {
        name: value.get("reference", value.get("callable")) if isinstance(value, Mapping) else value
        for name, value in table(data, "tool", "poetry", "scripts").items()
    }
    yield from _parsed(poetry, "[tool.poetry.scripts] of pyproject.toml")


def _from_setup_cfg(folder: Path) -> Iterator[ConsoleScript]:
    try:
        text = (folder / "setup.cfg").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    lines = _ini(text, "options.entry_points").get("console_scripts", "").splitlines()
    yield from _parsed(_assignments(lines), "console_scripts of setup.cfg")


def _from_setup_py(folder: Path) -> Iterator[ConsoleScript]:
    try:
        tree = ast.parse((folder / "setup.py").read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "entry_points":
            yield from _parsed(_assignments(_declared(node.value)), "entry_points of setup.py")


def _declared(value: ast.expr) -> list[str]:
    """Returns the lines of console_scripts in a literal `entry_points`: a dictionary, or the text of an ini file."""
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError):
        return []  # computed: only running it would tell
    if isinstance(literal, str):
        scripts = _ini(literal, "console_scripts")
        literal = {"console_scripts": [f"{name}={text}" for name, text in scripts.items()]}
    lines = literal.get("console_scripts", []) if isinstance(literal, dict) else []
    lines = lines.splitlines() if isinstance(lines, str) else lines
    return [line for line in lines if isinstance(line, str)]


def _ini(text: str, section: str) -> dict[str, str]:
    """Returns a section of an ini file, empty when there is none."""
    # Imported late, since few projects have such files.
    from configparser import ConfigParser, Error

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        return dict(parser.items(section))
    except Error:
        return {}


def _assignments(lines: Iterable[str]) -> dict[str, str]:
    return {name.strip(): value for name, _, value in (line.partition("=") for line in lines)}


def _parsed(references: Mapping[str, object], origin: str) -> Iterator[ConsoleScript]:
    for name, reference in references.items():
        if program := parse_script(name, reference):
            yield ConsoleScript(program, origin)
