"""Project -> Requirements: what has to be installed, from the first place that says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli

from platform_cli.build.imports import infer_requirements
from platform_cli.build.model import Requirements
from platform_cli.build.requirements_txt import check_requirement, read_file, read_text
from platform_cli.build.uv import UvError, run_uv
from platform_cli.config.project import Project
from platform_cli.errors import ConfigError, LockError

# Building a source distribution runs what is in it: never for a package that was only guessed.
ONLY_WHEELS = "--only-binary :all:"

# The regular expression of the specification:
# https://packaging.python.org/en/latest/specifications/inline-script-metadata/#reference-implementation
_SCRIPT_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def resolve_requirements(project: Project) -> Requirements:
    """What `project` needs. The first that says so decides: the file its configuration names, the dependencies its
    configuration lists, uv.lock, pyproject.toml or requirements.txt beside the server (else in the nearest folder
    above, up to the project's), inline metadata in the server file (PEP 723), the imports.

    Raises ConfigError when what was found is missing or malformed, SourceError when the server cannot be read, and
    LockError when uv cannot read a uv.lock.
    """
    if project.requirements is not None:
        return _named(project, project.requirements)
    asked_in = project.config_file.name if project.config_file else "the configuration"
    if project.dependencies:
        text = read_text(project.folder, "\n".join(project.dependencies), asked_in, _own(project.folder))
        return Requirements(text, asked_in)
    entry = project.folder / project.entrypoint.file if project.entrypoint else None
    for folder in _places(project.folder, entry):
        for name in ("uv.lock", "pyproject.toml", "requirements.txt"):
            if (folder / name).is_file() and (found := _READERS[name](project.folder, folder / name)):
                return found
    if project.entrypoint is None or entry is None or entry.suffix != ".py":
        return Requirements("", "none")
    return _from_server(project.folder, project.entrypoint.file)


def _named(project: Project, name: str) -> Requirements:
    asked_in = project.config_file.name if project.config_file else "the configuration"
    root = project.folder.resolve()
    file = (root / name).resolve()
    if not file.is_relative_to(root):
        raise ConfigError(f"{asked_in}: requirements = {name!r} is outside the project folder")
    if not file.is_file():
        raise ConfigError(
            f"{asked_in}: requirements = {name!r} does not exist in {project.folder}",
            hint="Correct the name, or take the line out to have requirements found by themselves.",
        )
    reader = _READERS.get(file.name, _requirements_txt)
    found = reader(project.folder, file)
    if found is None:
        needed = (
            "a pyproject.toml beside it" if file.name == "uv.lock" else "[project] with a static `dependencies` list"
        )
        raise ConfigError(f"{asked_in}: requirements = {name!r} cannot be used: it needs {needed}")
    return found


def _places(root: Path, entry: Path | None) -> Iterator[Path]:
    folder = entry.parent if entry else root
    while folder != root and folder.is_relative_to(root):
        yield folder
        folder = folder.parent
    yield root


def _uv_lock(root: Path, file: Path) -> Requirements | None:
    if not (file.parent / "pyproject.toml").is_file():
        return None
    python = _project_table(file.parent / "pyproject.toml").get("requires-python")
    args = ["export", "--frozen", "--no-dev", "--no-emit-project", "--format", "requirements-txt"]
    try:
        exported = run_uv([*args, "--no-header", "--no-annotate", "--no-python-downloads"], cwd=file.parent)
    except UvError as error:
        raise LockError(
            f"{_shown(root, file)} cannot be read: {error.message}", hint="Run `uv lock` in its folder."
        ) from error
    indexes = _indexes(file.parent / "pyproject.toml")
    text = "\n".join([*indexes, read_text(file.parent, exported, _shown(root, file), _own(file.parent))])
    return Requirements(text, _shown(root, file), locked=True, requires_python=python)


def _pyproject(root: Path, file: Path) -> Requirements | None:
    table = _project_table(file)
    if "dependencies" not in table:
        return None
    lines = [*_indexes(file), *_own(file.parent)(())]
    return Requirements(
        "".join(f"{line}\n" for line in lines), _shown(root, file), requires_python=table.get("requires-python")
    )


def _requirements_txt(root: Path, file: Path) -> Requirements:
    return Requirements(read_file(root, file, _own(file.parent)), _shown(root, file))


_READERS: dict[str, Callable[[Path, Path], Requirements | None]] = {
    "uv.lock": _uv_lock,
    "pyproject.toml": _pyproject,
    "requirements.txt": _requirements_txt,
}


def _from_server(root: Path, name: str) -> Requirements:
    metadata = _inline_metadata(root / name, name)
    python = metadata.get("requires-python")
    dependencies = metadata.get("dependencies")
    if dependencies is not None:
        text = read_text(root, "\n".join(_strings(dependencies, name)), f"the metadata in {name}", _own(root))
        return Requirements(text, f"the metadata in {name}", requires_python=python)
    inferred = infer_requirements(root, name, _own_names(root))
    text = "".join(f"{line}\n" for line in [ONLY_WHEELS, *inferred]) if inferred else ""
    return Requirements(text, f"the imports of {name}", inferred, requires_python=python)


def _own_names(root: Path) -> list[str]:
    """What the project calls itself: an import of that name is no package of an index."""
    file = root / "pyproject.toml"
    data = _load(file) if file.is_file() else {}
    tables = [data.get("project"), data.get("tool", {}).get("poetry")]
    return [table["name"] for table in tables if isinstance(table, dict) and isinstance(table.get("name"), str)]


def _inline_metadata(file: Path, shown: str) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}  # the reader of its imports says what is wrong with it
    blocks = [match for match in _SCRIPT_BLOCK.finditer(text) if match["type"] == "script"]
    if not blocks:
        return {}
    if len(blocks) > 1:
        raise ConfigError(f"{shown} has {len(blocks)} `# /// script` blocks; one is allowed (PEP 723)")
    content = "".join(line[2:] if line.startswith("# ") else line[1:] for line in blocks[0]["content"].splitlines(True))
    try:
        return tomli.loads(content)
    except tomli.TOMLDecodeError as error:
        line = text.count("\n", 0, blocks[0].start("content")) + error.lineno
        raise ConfigError(f"{shown}, line {line}: the `# /// script` block is not TOML: {error.msg}") from error


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomli.loads(file.read_text(encoding="utf-8"))
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{file.name}, line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name} cannot be read: {error}") from error


def _project_table(file: Path) -> dict[str, Any]:
    table = _load(file).get("project", {})
    return table if isinstance(table, dict) else {}


def _own(folder: Path) -> Callable[[tuple[str, ...]], list[str]]:
    """Gives the dependencies of the project in `folder` itself, with those of the named extras."""

    def dependencies(extras: tuple[str, ...]) -> list[str]:
        file = folder / "pyproject.toml"
        table = _project_table(file) if file.is_file() else {}
        if "dependencies" not in table:
            raise ConfigError(
                "`.` is required, but there is no pyproject.toml with [project].dependencies that says what it needs",
                hint="List the dependencies themselves in requirements.txt.",
            )
        optional = table.get("optional-dependencies", {})
        unknown = [extra for extra in extras if extra not in optional]
        if unknown:
            raise ConfigError(f"pyproject.toml has no extra {unknown[0]!r}")
        found = [*_strings(table["dependencies"], file.name)]
        for extra in extras:
            found += _strings(optional[extra], file.name)
        return [check_requirement(requirement, file.name) for requirement in found]

    return dependencies


def _strings(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: dependencies must be a list of strings")
    return value


def _indexes(file: Path) -> Iterator[str]:
    """The package indexes that pyproject.toml gives uv, in requirements.txt form."""
    uv = _load(file).get("tool", {}).get("uv", {})
    for index in uv.get("index", []):
        if isinstance(index, dict) and isinstance(index.get("url"), str) and not index.get("explicit"):
            yield f"{'--index-url' if index.get('default') else '--extra-index-url'} {index['url']}"


def _shown(root: Path, file: Path) -> str:
    return file.relative_to(root if file.is_relative_to(root) else root.resolve()).as_posix()
