"""Reads the servers in a client's configuration (.mcp.json, claude_desktop_config.json, mcp.json) as projects.

Claude Code and most other clients list them in `mcpServers`, VS Code in `servers`
(https://code.visualstudio.com/docs/copilot/customization/mcp-servers).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError, SourceError
from ..home import Home
from .command import Run, translate
from .environment import check_variable
from .load import load_project, load_run
from .names import slugify
from .project import Entrypoint, Program, Project
from .root import find_root
from .scripts import module_file
from .sources import NPM, PYPI, read_package_source
from .text import read_text

# `${NAME}` and `${NAME:-default}` of Claude Code, `${env:NAME}` and `${workspaceFolder}` of VS Code.
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_ASKED = re.compile(r"\$\{input:([^}]*)\}")
_SCRIPTS = (".js", ".mjs", ".cjs", ".ts")
# VS Code allows comments, and commas before a closing bracket. Texts are matched too, so that they stay as they are.
_RELAXED = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*(?:[}\]]|$))', re.DOTALL)


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """Describes one server of a client.

    `command` is empty for a server that is reached by its URL. `folder` is where the command runs.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def read_entries(file: Path) -> list[ServerEntry]:
    """Returns the servers that `file` lists.

    Raises InputError if the file cannot be read, is not JSON, or lists no servers.
    """
    data = _decoded(file)
    folder = _folder(file.resolve().parent)
    settings = data.get("mcp")  # the settings of VS Code have it there
    tables = (data, settings if isinstance(settings, dict) else {})
    found = next((table[key] for table in tables for key in ("mcpServers", "servers") if key in table), None)
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise InputError(f"{file}: has no servers", hint='{"mcpServers": {"NAME": {"command": "..."}}} has one')
    return [_entry(f"{file}: {name}", name, entry, folder) for name, entry in found.items()]


def entry_project(entry: ServerEntry, home: Home) -> tuple[Project, dict[str, str]]:
    """Returns the project of an entry with a command, under the entry's name, and the values that become its secrets.

    Raises InputError for a variable that is not set, and SourceError for what cannot be run, never with a secret's
    value.
    """
    where = f"the server {entry.name!r}"
    values = {name: _expanded(value, entry.folder, f"{where}: {name}") for name, value in entry.environment.items()}
    words = [_expanded(word, entry.folder, where) for word in entry.command]
    project = _project(words, entry.folder, home)
    return replace(project, name=slugify(entry.name) or project.name), values


def _project(words: list[str], folder: Path, home: Home) -> Project:
    program = Path(words[0]).expanduser()
    if program.is_absolute() and (program.parent.parent / "pyvenv.cfg").is_file():
        # A program of a virtual environment runs the project that contains the environment.
        folder = program.parent.parent.parent
        words = ["uv", "run", program.name, *words[1:]]
    package = _npm_package(words)
    if package:
        return read_package_source(f"{NPM}{package[0]}", package[1], home)
    run = translate(words, folder)
    if run is None:
        return _command(words, folder, home)
    if run.dependencies and isinstance(run.runs, str) and words[0] != "uv":
        source = read_package_source(f"{PYPI}{run.dependencies[0]}", run.args, home)
        return replace(source, script=run.runs, dependencies=run.dependencies, python_version=run.python_version)
    return _local(run, folder)


def _local(run: Run, folder: Path) -> Project:
    """Returns the project in `folder`, or in the directory that the command names."""
    inner = (folder / Path(run.directory or ".").expanduser()).resolve()
    if isinstance(run.runs, Entrypoint):
        file = inner / Path(run.runs.file).expanduser()
        path = f"{file}:{run.runs.object}" if run.runs.object else str(file)
        return replace(run, directory=None, args=()).adds(load_project(path, run.args))
    if not inner.is_dir():
        raise SourceError(f"{inner} does not exist", hint="Correct the path in the client's configuration.")
    if isinstance(run.runs, Program) and not module_file(find_root(inner).package, run.runs.module):
        raise SourceError(
            f"the module {run.runs.module} is not in {inner}",
            hint="If a package of PyPI has it: homeport deploy pypi:PACKAGE",
        )
    return load_run(replace(run, directory=None), inner)


def _npm_package(words: list[str]) -> tuple[str, list[str]] | None:
    """Returns the package that `npx` runs and its arguments; None for everything else that npx can do."""
    rest = [word for word in words[1:3] if word not in ("-y", "--yes")] + words[3:]
    if Path(words[0]).name not in ("npx", "npx.cmd") or not rest or rest[0].startswith(("-", ".", "/", "git", "http")):
        return None
    return rest[0], rest[1:]


def _command(words: list[str], folder: Path, home: Home) -> Project:
    """Returns the project of a program that is served over stdio.

    The file that Node runs, or to which a relative path of a program leads, is part of a project of its own.
    """
    for position, word in enumerate(words[:2]):
        file = (folder / Path(word).expanduser()).resolve()
        is_ours = file.suffix in _SCRIPTS if position else "/" in word and not Path(word).expanduser().is_absolute()
        if is_ours and file.is_file():
            root = find_root(file.parent).folder
            return Project(root, None, command=(*words[:position], str(file.relative_to(root)), *words[position + 1 :]))
    empty = home.root / "packages" / "none"
    empty.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Project(empty, None, command=tuple(words), source=" ".join(words[:1]))


def _decoded(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(_RELAXED.sub(lambda match: match[1] or "", read_text(file)))
    except json.JSONDecodeError as error:
        raise InputError(f"{file}:{error.lineno}:{error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{file}: holds a value too large to read") from None
    if not isinstance(data, dict):
        raise InputError(f"{file}: must hold one object")
    return data


def _entry(where: str, name: str, entry: dict[str, Any], folder: Path) -> ServerEntry:
    command, args, environment = entry.get("command"), entry.get("args", []), entry.get("env") or {}
    if command is None and isinstance(entry.get("url", entry.get("serverUrl", entry.get("httpUrl"))), str):
        return ServerEntry(name, (), {}, folder)
    if not isinstance(command, str) or not command or not _texts(args):
        raise InputError(f'{where}: needs "command" as text, and "args" as a list of texts')
    if not isinstance(environment, dict):
        raise InputError(f'{where}: "env" must be an object')
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in environment.items()}
    for key, value in values.items():
        try:
            check_variable(key, _REFERENCE.sub("", _ASKED.sub("", value)))
        except ValueError as error:
            raise InputError(f"{where}: {key} {error}") from None
    own = entry.get("cwd")
    return ServerEntry(name, (command, *args), values, _folder(folder / own) if isinstance(own, str) else folder)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _folder(path: Path) -> Path:
    """Returns the project's folder for the folder of a configuration, which for VS Code and Cursor is the one above."""
    path = path.expanduser().resolve()
    return path.parent if path.name in (".vscode", ".cursor") else path


def _expanded(text: str, folder: Path, where: str) -> str:
    """Returns `text` with the references replaced that clients replace.

    Raises InputError for an input that only the client can ask for, and for a variable that is not set.
    """
    asked = _ASKED.search(text)
    if asked:
        raise InputError(f"{where} asks for the input {asked[1]!r}", hint="Write the value itself, or a ${VARIABLE}.")

    def replacement(match: re.Match[str]) -> str:
        if match[1] == "workspaceFolder":
            return str(folder)
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise InputError(f"{where} needs the variable {match[1]}, which is not set", hint=f"export {match[1]}=...")
        return found

    return _REFERENCE.sub(replacement, text)
