"""Reads pyproject.toml, setup.py and the files beside them as far as homeport has to; their meaning is left to uv.

It finds out whether uv has to resolve from them, and which files decide the result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomli

from ..config.pyproject import table
from ..config.python_version import folders_up
from ..errors import ConfigError
from .model import ProjectFile

_BESIDE = ("pyproject.toml", "setup.py", "setup.cfg", "uv.toml")


def load_toml(file: Path, shown: str = "") -> dict[str, Any]:
    """Returns the content of a TOML file.

    Raises ConfigError, with the place, if it is malformed or cannot be read.
    """
    shown = shown or file.name
    try:
        return tomli.loads(file.read_text(encoding="utf-8-sig"))
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{shown}, line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (OSError, ValueError, RecursionError) as error:  # no UTF-8; nested thousands deep
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{shown} cannot be read: {reason}", hint=f"Look at {file}.") from error


def own_names(folder: Path) -> list[str]:
    """Returns the names that the project in `folder` gives itself."""
    file = folder / "pyproject.toml"
    data = load_toml(file) if file.is_file() else {}
    names = [table(data, "project").get("name"), table(data, "tool", "poetry").get("name")]
    return [name for name in names if isinstance(name, str)]


def uses_poetry(data: dict[str, Any]) -> bool:
    """Tells whether the dependencies are in poetry's own form, older than [project]."""
    return bool(table(data, "tool", "poetry", "dependencies")) and "dependencies" not in table(data, "project")


def has_build_system(folder: Path) -> bool:
    """Tells whether the folder is a package that can be built and installed."""
    file = folder / "pyproject.toml"
    if file.is_file():
        data = load_toml(file)
        if (
            table(data, "tool", "uv").get("package") is False
            or table(data, "tool", "poetry").get("package-mode") is False
        ):
            return False
        if table(data, "build-system"):
            return True
    return (folder / "setup.py").is_file()


def says_dependencies(data: dict[str, Any], extras: tuple[str, ...], groups: tuple[str, ...]) -> bool:
    """Tells whether a pyproject.toml lists any dependency; an empty list must not hide what
    a requirements.txt lists.
    """
    project = table(data, "project")
    if extras or groups or project.get("dependencies"):
        return True
    poetry = set(table(data, "tool", "poetry", "dependencies")) - {"python"}
    return bool(poetry) or "dependencies" in _dynamic(data) or (bool(table(data, "build-system")) and not project)


def project_file(
    root: Path, file: Path, *, lock: Path | None = None, extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()
) -> ProjectFile:
    """Returns `file` of the project in `root` as uv is to read it, with the hash of all files that decide beside it."""
    data = load_toml(file, _shown(root, file)) if file.suffix == ".toml" else {}
    folders = list(folders_up(file.parent, root))
    deciding = [file, *(folder / name for folder in folders for name in _BESIDE), *([lock] if lock else [])]
    if file.suffix != ".toml" or _dynamic(data) or (table(data, "build-system") and not table(data, "project")):
        deciding += _read_by_backends(file.parent, data)
    indexes: list[str] = []
    for folder in folders:
        if (folder / "pyproject.toml").is_file():
            indexes += _indexes(load_toml(folder / "pyproject.toml"))
    return ProjectFile(
        root,
        _shown(root, file),
        _hash(root, deciding),
        _shown(root, lock) if lock else "",
        extras,
        groups,
        tuple(dict.fromkeys(indexes)),
    )


def workspace_lock(root: Path, folder: Path) -> Path | None:
    """Returns the uv.lock of the project in `folder`: its own, or that of its workspace; None if there is none."""
    if (folder / "uv.lock").is_file():
        return folder / "uv.lock"
    for above in folders_up(folder, root):
        lock, file = above / "uv.lock", above / "pyproject.toml"
        if above == folder or not (lock.is_file() and file.is_file()):
            continue
        workspace = table(load_toml(file, _shown(root, file)), "tool", "uv", "workspace")
        place = folder.relative_to(above).as_posix()
        if _matches(place, workspace.get("members", ())) and not _matches(place, workspace.get("exclude", ())):
            return lock
    return None


def paths_outside(data: object, folder: Path, root: Path) -> Iterator[Path]:
    """Yields the folders and files outside of `root` to which `path` leads in the sources of a pyproject.toml in
    `folder`.
    """
    if isinstance(data, list):
        data = dict(enumerate(data))
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        if key == "path" and isinstance(value, str):
            target = (folder / value).resolve()
            if not Path(value).is_absolute() and target.exists() and not target.is_relative_to(root):
                yield target
        else:
            yield from paths_outside(value, folder, root)


def _matches(place: str, patterns: object) -> bool:
    listed = patterns if isinstance(patterns, list) else []
    return any(fnmatchcase(place, str(pattern).rstrip("/")) for pattern in listed)


def _dynamic(data: dict[str, Any]) -> list[str]:
    """Returns which kinds of a package's dependencies only its build backend knows."""
    dynamic = table(data, "project").get("dynamic", [])
    named = dynamic if isinstance(dynamic, list) else []
    return [str(key) for key in named if key in ("dependencies", "optional-dependencies")]


def _read_by_backends(folder: Path, data: dict[str, Any]) -> Iterator[Path]:
    """Yields the files that a build backend may read: any beside the project file, and those that
    setuptools is told.
    """
    yield from (child for child in folder.iterdir() if child.is_file())
    yield from (folder / "requirements").glob("*.txt")
    for value in table(data, "tool", "setuptools", "dynamic").values():
        named = value.get("file", []) if isinstance(value, dict) else []
        yield from (folder / str(name) for name in (named if isinstance(named, list) else [named]))


def _hash(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(set(files)):
        if file.is_file():
            digest.update(f"{_shown(root, file)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _indexes(data: dict[str, Any]) -> Iterator[str]:
    """Yields the package indexes of uv, poetry and pdm.

    The installation may also ask the explicit ones, since it takes nothing whose hash is not in the lock.
    """
    for index in [
        *_tables(table(data, "tool", "uv").get("index")),
        *_tables(table(data, "tool", "poetry").get("source")),
        *_tables(table(data, "tool", "pdm").get("source")),
    ]:
        if isinstance(url := index.get("url"), str):
            is_default = index.get("default") is True or index.get("priority") == "default"
            yield f"{'--index-url' if is_default else '--extra-index-url'} {url}"


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _shown(root: Path, file: Path) -> str:
    return file.relative_to(root if file.is_relative_to(root) else root.resolve()).as_posix()
