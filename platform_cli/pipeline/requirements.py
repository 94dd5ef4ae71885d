"""Finds out what a project needs to have installed, from the first place that says so; nothing is resolved here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..config.inline_metadata import inline_metadata
from ..config.project import Project
from ..config.pyproject import table
from ..config.python_version import folders_up
from ..errors import ConfigError
from ..project_files.imports import infer_requirements
from .model import Requirements
from .pins import pipfile_pins, toml_pins
from .pipfile import pipfile_text
from .pyproject import (
    has_build_system,
    load_toml,
    own_names,
    project_file,
    says_dependencies,
    workspace_lock,
)
from .requirements_txt import ITSELF, read_file, read_text

# Building a source distribution runs its code, which a package that was only guessed must not do.
ONLY_WHEELS = "--only-binary :all:"


def resolve_requirements(project: Project) -> Requirements:
    """Returns what `project` needs, from the first place that says so.

    The places are the file that its configuration names, the metadata in the server file (PEP 723), then beside the
    server (else in the nearest folder above, up to the project's) pyproject.toml with the versions of its uv.lock,
    requirements.txt, setup.py, setup.cfg or Pipfile, and last the imports.

    Dependencies in the configuration are added to the file that it names, or else to what `uv run --with` adds them to:
    the metadata in the server file or the nearest pyproject.toml.

    Raises ConfigError when what was found is missing or malformed, and SourceError when the server cannot be read or
    imports a module that nobody knows.
    """
    if project.dependencies:
        below = _named(project, project.requirements) if project.requirements is not None else _beneath(project)
        return _with_dependencies(project, below)
    if project.requirements is not None:
        return _named(project, project.requirements)
    server, start = _server(project)
    if server and (found := _inline(project, server)):
        return replace(found, passed_over=_passed_over(start, found))
    for folder in folders_up(start, project.folder):
        for name, reader in _READERS.items():
            if (folder / name).is_file() and (found := reader(project, folder / name)):
                return replace(found, passed_over=_passed_over(folder, found))
    if project.extras or project.groups:
        raise ConfigError(f"{_asked_in(project)}: extras and groups need a pyproject.toml or setup.py that has them")
    if server is None or not server.endswith(".py"):
        return Requirements("", "none")
    inferred = infer_requirements(
        project.folder, server, [*own_names(project.folder), *own_names(project.folder / project.member)]
    )
    text = "".join(f"{line}\n" for line in [ONLY_WHEELS, *inferred]) if inferred else ""
    return Requirements(text, f"the imports of {server}", inferred)


def _server(project: Project) -> tuple[str | None, Path]:
    """Returns the server's file, None without one, and the folder from which files are searched for upward."""
    server = project.entrypoint.file if project.entrypoint else None
    return server, (project.folder / server).parent if server else project.folder / project.member


def _beneath(project: Project) -> Requirements | None:
    if project.script:  # uvx installs the package of a script by itself
        return None
    server, start = _server(project)
    if server and (found := _inline(project, server)):
        return found
    files = (folder / "pyproject.toml" for folder in folders_up(start, project.folder))
    file = next(filter(Path.is_file, files), None)
    return _pyproject(project, file) if file else None


def _with_dependencies(project: Project, below: Requirements | None) -> Requirements:
    asked_in = _asked_in(project)
    added = _text(project, read_text(project.folder, "\n".join(project.dependencies), asked_in), asked_in)
    if below is None:
        return added
    origin = below.origin if below.origin == asked_in else f"{below.origin} and {asked_in}"
    return replace(below, text=below.text + added.text, origin=origin, file=below.file or added.file)


def _asked_in(project: Project) -> str:
    return project.source or (project.config_file.name if project.config_file else "the configuration")


def _named(project: Project, name: str) -> Requirements:
    asked_in = _asked_in(project)
    root = project.folder.resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise ConfigError(f"{asked_in}: requirements = {name!r} is outside the project folder")
    if not file.is_file():
        raise ConfigError(
            f"{asked_in}: requirements = {name!r} does not exist in {project.folder}",
            hint="Correct the name, or take the line out to have requirements found by themselves.",
        )
    file = project.folder / file.relative_to(root)
    match file.name:
        case "uv.lock":
            if not (file.parent / "pyproject.toml").is_file():
                raise ConfigError(
                    f"{asked_in}: requirements = {name!r} cannot be used: it needs a pyproject.toml beside it"
                )
            return _of_file(project, file.parent / "pyproject.toml", file)
        case "pyproject.toml" | "setup.py" | "setup.cfg":
            return _of_file(project, file, None)
        case "Pipfile":
            return _pipfile(project, file)
    return _requirements_txt(project, file)


def _inline(project: Project, server: str) -> Requirements | None:
    metadata = inline_metadata(project.folder / server, server)
    dependencies = metadata.get("dependencies")
    if dependencies is None:
        return None
    origin = f"the metadata in {server}"
    if not isinstance(dependencies, list) or not all(isinstance(item, str) for item in dependencies):
        raise ConfigError(f"{origin}: dependencies must be a list of strings")
    if metadata.get("tool", {}).get("uv"):
        return replace(_of_file(project, project.folder / server, None), origin=origin)
    return _text(project, read_text(project.folder, "\n".join(dependencies), origin), origin)


def _pyproject(project: Project, file: Path) -> Requirements | None:
    if not says_dependencies(load_toml(file, _shown(project, file)), project.extras, project.groups):
        return None
    return _of_file(project, file, workspace_lock(project.folder, file.parent))


def _of_file(project: Project, file: Path, lock: Path | None) -> Requirements:
    found = project_file(project.folder, file, lock=lock, extras=project.extras, groups=project.groups)
    pins = None if lock else toml_pins(file.parent)
    return Requirements("", found.lock or found.path, file=found, pins=pins)


def _requirements_txt(project: Project, file: Path) -> Requirements:
    return _text(project, read_file(project.folder, file), _shown(project, file), file.parent)


def _text(project: Project, text: str, origin: str, folder: Path | None = None) -> Requirements:
    """Returns requirements from `text`, with those of the project file in `folder` if it requires
    the project itself.
    """
    folder = folder or project.folder
    itself = [line.removeprefix(ITSELF) for line in text.splitlines() if line.startswith(ITSELF)]
    if not itself:
        return Requirements(text, origin)
    name = next((name for name in ("pyproject.toml", "setup.py", "setup.cfg") if (folder / name).is_file()), None)
    if name is None or not (has_build_system(folder) or says_dependencies(load_toml(folder / name), (), ())):
        raise ConfigError(
            f"{origin}: `.` is required, but there is no pyproject.toml or setup.py that says what it needs",
            hint="List the dependencies themselves.",
        )
    extras = {extra for line in itself for extra in line.split(",") if extra} | set(project.extras)
    own = project_file(project.folder, folder / name, extras=tuple(sorted(extras)), groups=project.groups)
    return Requirements(
        "".join(f"{line}\n" for line in text.splitlines() if not line.startswith(ITSELF)), origin, file=own
    )


def _setup_py(project: Project, file: Path) -> Requirements | None:
    return _of_file(project, file, None)


def _setup_cfg(project: Project, file: Path) -> Requirements | None:
    return _of_file(project, file, None) if "install_requires" in file.read_text(errors="replace") else None


def _pipfile(project: Project, file: Path) -> Requirements:
    text = read_text(project.folder, pipfile_text(file), _shown(project, file))
    return Requirements(text, _shown(project, file), pins=pipfile_pins(file.parent))


_READERS: dict[str, Callable[[Project, Path], Requirements | None]] = {
    "pyproject.toml": _pyproject,
    "requirements.txt": _requirements_txt,
    "setup.py": _setup_py,
    "setup.cfg": _setup_cfg,
    "Pipfile": _pipfile,
}


def _passed_over(folder: Path, found: Requirements) -> tuple[str, ...]:
    """Returns the files in `folder` that may list packages and are no part of `found`."""
    used = {found.origin.rpartition("/")[2], *([found.file.path.rpartition("/")[2]] if found.file else [])}
    if "pyproject.toml" in used:
        used |= {"setup.py", "setup.cfg"}  # its build backend reads them
    names = (*_READERS, "uv.lock", "environment.yml", "pylock.toml")
    return tuple(name for name in names if name not in used and _may_list(folder / name))


def _may_list(file: Path) -> bool:
    if not file.is_file() or file.name != "pyproject.toml":
        return file.is_file()
    data = load_toml(file)
    return "project" in data or bool(table(data, "tool", "poetry"))


def _shown(project: Project, file: Path) -> str:
    return file.relative_to(project.folder).as_posix()
