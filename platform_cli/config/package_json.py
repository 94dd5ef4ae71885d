"""Finds out from package.json what a package of npm runs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import SourceError

PACKAGE = "package.json"
TYPESCRIPT = (".ts", ".mts", ".cts", ".tsx")
_SCRIPTS = (".js", ".mjs", ".cjs")
_NPM_START = ("run", "--silent", "start")
_SDKS = ("fastmcp", "mcp-framework", "xmcp")
_BUN_LOCKS = ("bun.lock", "bun.lockb")
_BUN_LINE = re.compile(rb"#!.*\bbun\b|// @bun\b")
_BUN_TARGET = re.compile(r"\bbun build\b.*--target[ =]bun\b")
# The name, followed by a version or a tag: https://docs.npmjs.com/cli/configuring-npm/package-json#name
_PACKAGE = re.compile(r"((?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*)(?:@([\w.^~<>=|* -]+))?")
_SHELL = re.compile(r"[|&;<>$`*?\\]")


@dataclass(frozen=True, slots=True)
class NodeProgram:
    """Holds the `command` that is run in the project's folder, and the key of package.json that it is from."""

    command: tuple[str, ...]
    origin: str


def read_package(folder: Path) -> Mapping[str, Any] | None:
    """Returns the content of the folder's package.json, None when there is none that can be read."""
    try:
        data = json.loads((folder / PACKAGE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def package_program(folder: Path, member: str = "") -> NodeProgram | None:
    """Returns what the package in `folder` runs if it has to do with MCP: its program (`bin`), its `main` or its start
    script. `member` is the folder's path in its project.

    A file that does not exist yet counts when the package has a build script. Raises SourceError when the package has
    several programs.
    """
    package = read_package(folder)
    if package is None or "mcp" not in json.dumps(package).lower().replace("modelcontextprotocol", "mcp"):
        return None
    built = isinstance(_scripts(package).get("build"), str)
    programs = programs_of(package)
    if len(programs) > 1:
        words = "\n".join(f'    command = "node {file}"' for file in programs.values())
        raise SourceError(
            f"package.json: several programs could be the server: {', '.join(programs)}",
            hint=f"Name one in a fastmcp.toml, below [deployment]:\n{words}",
        )
    script = start_command(package, member)
    # `npm init` writes a `main` that many a package never has; a start script that names a file knows better.
    if_built = built and not (script and script[0] == "node")
    mains = [(key, package.get(key), if_built) for key in ("main", "module")]
    for key, file, unseen in (*(("bin", file, built) for file in programs.values()), *mains):
        if isinstance(file, str) and (unseen or (folder / file).is_file()):
            program = "bun" if _is_for_bun(package, folder, file) else "node"
            return NodeProgram(run_file(file, member, program), f"{key} of package.json")
    return NodeProgram(script, "the start script of package.json") if script else None


def start_command(package: Mapping[str, Any], member: str = "") -> tuple[str, ...] | None:
    """Returns what the start script of the package.json `package` runs, None without one."""
    start = _scripts(package).get("start")
    return _start(start, member) if isinstance(start, str) else None


def programs_of(package: Mapping[str, Any]) -> dict[str, str]:
    """Returns the files of `bin` by name.

    One of them is chosen if it has the package's name, else if it is the only one with "mcp" in its name.
    """
    own = str(package.get("name", "")).rpartition("/")[2]
    declared = package.get("bin")
    if isinstance(declared, str):
        return {own: declared}
    files = (
        {name: file for name, file in declared.items() if isinstance(file, str)} if isinstance(declared, dict) else {}
    )
    for likely in ({own} & set(files), {name for name in files if "mcp" in name}):
        if len(likely) == 1:
            return {name: files[name] for name in likely}
    return dict(list(files.items())[:1]) if len(set(files.values())) == 1 else files


def uses_node_sdk(package: Mapping[str, Any]) -> bool:
    """Tells whether the package.json `package` asks for an SDK of MCP."""
    asked = package.get("dependencies")
    names = asked if isinstance(asked, dict) else {}
    return any(name.startswith("@modelcontextprotocol/") or name in _SDKS for name in names)


def is_script(file: str) -> bool:
    """Tells whether Node runs a file of this name as it is."""
    return file.endswith(_SCRIPTS)


def run_file(file: str, folder: str = "", program: str = "node") -> tuple[str, ...]:
    """Returns the command that runs `file` of the package in `folder`, by `program` unless it is one itself."""
    path = str(PurePosixPath(folder, file))
    is_run = is_script(path) or "." not in PurePosixPath(path).name or program == "bun"
    return (program, path) if is_run else (f"./{path}",)


def _is_for_bun(package: Mapping[str, Any], folder: Path, file: str) -> bool:
    """Tells whether a file runs on bun alone: it says so, its build does, or it is TypeScript in a project of bun's."""
    if (folder / file).is_file():
        if file.endswith(TYPESCRIPT):
            return any((folder / name).exists() for name in _BUN_LOCKS)
        with (folder / file).open("rb") as opened:
            return bool(_BUN_LINE.match(opened.read(256)))
    return bool(_BUN_TARGET.search(str(_scripts(package).get("build", ""))))


def _scripts(package: Mapping[str, Any]) -> Mapping[str, Any]:
    scripts = package.get("scripts")
    return scripts if isinstance(scripts, dict) else {}


def _start(script: str, member: str) -> tuple[str, ...]:
    """Returns the command of a start script: `node FILE` as it is, anything else through npm, which has the shell and
    PATH.
    """
    words = shlex.split(script) if not _SHELL.search(script) else []
    if words[:1] == ["node"] and not member:
        return tuple(words)
    if words[:1] == ["node"] and is_script("".join(words[1:2])):
        return (*run_file(words[1], member), *words[2:])
    return ("npm", *(("--prefix", member) if member else ()), *_NPM_START)


def in_package(command: tuple[str, ...], member: str) -> tuple[str, ...]:
    """Returns a command of the package in `member` as it is run in the folder of its workspace."""
    if command[0] in ("node", "bun") and not "".join(command[1:2]).startswith("-"):
        return (command[0], *(str(PurePosixPath(member, file)) for file in command[1:2]), *command[2:])
    return ("npm", "--prefix", member, *command[1:]) if command[0] == "npm" else command


def with_arguments(command: tuple[str, ...], args: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the command with the program's own arguments behind it, which npm hands on to a script after `--`."""
    return (*command, *(("--",) if args and command[-3:] == _NPM_START else ()), *args)


def parse_package(text: str) -> tuple[str, str] | None:
    """Returns the name and the version, or the tag, of a package as npm takes it; None for what is no package."""
    match = _PACKAGE.fullmatch(text)
    if match is None or ".." in PurePosixPath(match[1]).parts:
        return None
    return match[1], match[2] or "latest"


def npx_package(command: Sequence[str]) -> tuple[str, str] | None:
    """Returns the package that `npx [-y] PACKAGE ...` runs, None for other commands and what else npx can do."""
    words = [word for word in command[:3] if word not in ("-y", "--yes")]
    return parse_package(words[1]) if words[:1] == ["npx"] and len(words) > 1 else None
