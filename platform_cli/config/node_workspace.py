"""Finds the packages of a workspace (npm, pnpm, yarn, bun) that one of them needs from beside it.

npm cannot have them from a registry: they are the project's own code, and part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .package_json import PACKAGE, parse_package, read_package

PNPM = "pnpm-workspace.yaml"
# What is needed to build a package, or to run it.
KINDS = ("dependencies", "devDependencies", "optionalDependencies")


@dataclass(frozen=True, slots=True)
class NodeWorkspace:
    """Holds the package.json of each package of a workspace, by its folder relative to the workspace's root."""

    packages: Mapping[str, Mapping[str, Any]]

    def beside(self, folder: str) -> dict[str, str]:
        """Returns the folders of the packages of the workspace that the one in `folder` asks for, by their names."""
        # A name becomes a path, and this one may be anybody's.
        named = {str(package.get("name")): path for path, package in self.packages.items()}
        named = {name: path for name, path in named.items() if parse_package(name) == (name, "latest")}
        package = self.packages.get(folder, {})
        asked = {name for kind in KINDS if isinstance(package.get(kind), dict) for name in package[kind]}
        return {name: path for name, path in sorted(named.items()) if name in asked and path != folder}

    def needed(self, folder: str) -> tuple[str, ...]:
        """Returns the folders of what the package in `folder` needs at any remove, each after those it needs itself."""
        found: list[str] = []
        entered = {folder}

        def enter(path: str) -> None:
            for needed in self.beside(path).values():
                if needed not in entered:
                    entered.add(needed)
                    enter(needed)
                    found.append(needed)

        enter(folder)
        return tuple(found)


def node_workspace(package: Path, above: Iterable[Path]) -> Path | None:
    """Returns the root, among the folders `above`, of the workspace that has what `package` needs from beside it.

    Returns None if it needs nothing so: it is a project like any other.
    """
    if not (package / PACKAGE).is_file():
        return None
    parents = (folder for folder in above if folder != package and package.is_relative_to(folder))
    return next((root for root in parents if read_workspace(root).beside(package.relative_to(root).as_posix())), None)


def read_workspace(root: Path) -> NodeWorkspace:
    """Returns the workspace at `root`, which has no packages if that is none.

    Its globs are in package.json (https://docs.npmjs.com/cli/using-npm/workspaces), or in a file of pnpm's.
    """
    globs = [glob.removeprefix("./").rstrip("/") for glob in _globs(root)]
    left_out = {path for glob in globs if glob.startswith("!") for path in _expanded(root, glob[1:])}
    paths = {path for glob in globs if not glob.startswith("!") for path in _expanded(root, glob)} - left_out
    packages = {path: read_package(root / path) for path in sorted(paths)}
    return NodeWorkspace({path: package for path, package in packages.items() if package is not None})


def _expanded(root: Path, glob: str) -> Iterator[str]:
    if not glob or ".." in PurePosixPath(glob).parts or glob.startswith("/"):
        return
    for file in root.glob(f"{glob}/{PACKAGE}"):
        folder = file.parent.relative_to(root)
        if not {"node_modules", "."} & {*folder.parts, folder.as_posix()}:
            yield folder.as_posix()


def _globs(root: Path) -> list[str]:
    declared = (read_package(root) or {}).get("workspaces")
    globs = declared.get("packages") if isinstance(declared, dict) else declared
    if not isinstance(globs, list):
        globs = _pnpm_globs(root / PNPM)
    return [glob for glob in globs if isinstance(glob, str)]


def _pnpm_globs(file: Path) -> list[Any]:
    if not file.is_file():
        return []
    import yaml

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []
    globs = data.get("packages") if isinstance(data, dict) else None
    return globs if isinstance(globs, list) else []
