"""What was typed after `homeport deploy` -> Project. Reads files, imports none of them."""

from __future__ import annotations

import os
import platform
import shlex
from dataclasses import replace
from pathlib import Path

from platform_cli.config.paths import file_inside
from platform_cli.config.project import Entrypoint, Project
from platform_cli.config.python_version import wanted_python
from platform_cli.config.source_check import check_source
from platform_cli.errors import ConfigError, SourceError

_USUAL = ("server.py", "main.py", "app.py")
_NEVER = ("setup.py", "conftest.py")


def load_project(path: str | Path) -> Project:
    """The project at `path`: a server file, `file.py:object`, or a folder. Raises ConfigError and SourceError.

    The configuration is the fastmcp.toml, else the fastmcp.json, in the folder of the server; what was typed wins over
    the entry point that it names.
    """
    try:
        return _load(str(path))
    except OSError as error:  # a folder that may not be read, a name too long, a current folder that is gone
        hint = "Type the path of a server file, or of the folder it is in."
        raise SourceError(f"{path}: {error.strerror}", hint=hint) from None


def _load(path: str) -> Project:
    folder, typed = _locate(path)
    project = read_config(folder)
    origin = ""
    if typed:
        project = replace(project, entrypoint=_merge(typed, project.entrypoint), command=None)
    elif project.entrypoint and project.config_file:
        origin = f"{project.config_file.name}: entry point "
    elif not project.command:
        project = replace(project, entrypoint=find_entrypoint(folder))
    if project.entrypoint:
        project = replace(project, entrypoint=_check_entrypoint(project, project.entrypoint, origin))
    return project


def find_entrypoint(folder: Path) -> Entrypoint:
    """The server file of a folder that does not name one: a usual name, else the only file that mentions mcp."""
    files = sorted(file.name for file in folder.glob("*.py") if file.is_file())
    usual = [name for name in _USUAL if name in files]
    others = [name for name in files if not name.startswith("test_") and name not in _NEVER]
    candidates = usual if len(usual) == 1 else [name for name in usual or others if _mentions_mcp(folder / name)]
    if len(candidates) == 1:
        return Entrypoint(candidates[0])
    if candidates:
        commands = "\n".join(f"    homeport deploy {_typed(folder / name)}" for name in candidates)
        raise SourceError(
            f"{_typed(folder)}: several files could be the server: {', '.join(candidates)}",
            hint=f"Name one:\n{commands}",
        )
    seen = f" among {', '.join(files)}" if files else ", and no Python file at all"
    raise SourceError(
        f"{_typed(folder)}: no server found{seen}",
        hint=f"Name the server file: homeport deploy {_typed(folder / 'server.py')}",
    )


def _locate(typed: str) -> tuple[Path, Entrypoint | None]:
    path, name = Path(typed), None
    if not path.exists() and ":" in typed:
        file, _, name = typed.rpartition(":")
        path = Path(file)
        if not name.isidentifier():
            raise SourceError(
                f"{typed}: {name!r} is not the name of an object", hint=f"Try: homeport deploy {file}:mcp"
            )
    if path.is_dir() and name is None:
        return path.resolve(), None
    if not path.exists():
        raise SourceError(f"{path} does not exist", hint="Type the path of a server file, or of the folder it is in.")
    if path.suffix != ".py" or not path.is_file():
        raise SourceError(
            f"{path} is not a Python file",
            hint='A server is a .py file. For a program in another language write [deployment] command = "..." '
            "in a fastmcp.toml and deploy its folder.",
        )
    return path.parent.resolve(), Entrypoint(path.name, name)


def read_config(folder: Path) -> Project:
    """What the folder's configuration says, a Project without an entry point if there is none. Raises ConfigError."""
    for name in ("fastmcp.toml", "fastmcp.json"):
        path = folder / name
        if not os.path.lexists(path):
            continue
        if not path.is_file():
            raise ConfigError(f"{name}: is not a file", hint=f"Look at {path}.")
        if path.suffix == ".toml":
            from platform_cli.config.toml import read_toml

            return read_toml(path)
        from platform_cli.config.fastmcp_json import read_fastmcp_json

        return read_fastmcp_json(path)
    return Project(folder=folder, entrypoint=None)


def _merge(typed: Entrypoint, configured: Entrypoint | None) -> Entrypoint:
    """The typed file; the object too, unless only the configuration says which one in that very file."""
    same = configured is not None and Path(configured.file) == Path(typed.file)
    return configured if configured and same and not typed.object else typed


def _check_entrypoint(project: Project, entrypoint: Entrypoint, origin: str) -> Entrypoint:
    shown = f"{origin}{entrypoint.file}"
    try:
        file = file_inside(project.folder, entrypoint.file)
    except ValueError as error:
        raise SourceError(
            f"{shown} {error}", hint=f"The entry point is a .py file in {_typed(project.folder)} or below it."
        ) from None
    if not file.endswith(".py"):
        raise SourceError(f"{shown} is not a Python file", hint='For another language use [deployment] command = "..."')
    path = project.folder / file
    wanted = wanted_python(replace(project, entrypoint=Entrypoint(file)))
    check_source(path, str(_from_here(path)), same_python=_runs_here(wanted))
    return Entrypoint(file, entrypoint.object)


def _runs_here(python_version: str | None) -> bool:
    if python_version is None:
        return True
    running = platform.python_version()
    if python_version[0].isdigit():
        return python_version.split(".")[:2] == running.split(".")[:2]
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(python_version).contains(running, prereleases=True)


def _typed(path: Path) -> str:
    """A path as one would type it in a shell from here."""
    return shlex.quote(str(_from_here(path)))


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _mentions_mcp(path: Path) -> bool:
    try:
        return b"mcp" in path.read_bytes().lower()
    except OSError:
        return False
