"""Finds the root of a project above its server: every file in it is the project's own, and can be deployed with it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .node_workspace import node_workspace
from .pyproject import read_pyproject, table

CONFIGS = ("fastmcp.toml", "fastmcp.json")
MARKERS = ("pyproject.toml", "uv.lock", "requirements.txt", "setup.py", "setup.cfg", "Pipfile", "package.json")


@dataclass(frozen=True, slots=True)
class Root:
    """Holds the folders of a project.

    `folder` is its root, `config` the folder of its configuration. `package` declares its packages and programs: it is
    the root itself, or a member of a workspace within it, of uv or of Node.
    """

    folder: Path
    config: Path
    package: Path

    @property
    def member(self) -> str:
        return "" if self.package == self.folder else self.package.relative_to(self.folder).as_posix()


def find_root(start: Path, top: Path | None = None) -> Root:
    """Returns the root of the project that the folder `start`, an absolute path without symlinks, is part of.

    It is the nearest folder upward with a configuration, else the nearest with a project's file in it, else that of the
    git repository, else `start`. For a member of a uv workspace it is the root of the workspace, which has the lock and
    the other members; so it is for a package of Node that needs another one of its workspace. `top` is the root where
    it is known, as on a platform to which a project was sent.
    """
    above = list(_above(start, top))
    config = next((folder for folder in above if _has(folder, CONFIGS)), None)
    marked = next(filter(is_marked, above), None)
    repository = next((folder for folder in above if _has(folder, (".git",))), None)
    package = marked if config is None or (marked and marked.is_relative_to(config)) else config
    package = package or repository or start
    folder = config or package
    workspace = _workspace(package, above) or node_workspace(package, above)
    if workspace is not None and folder.is_relative_to(workspace):
        return Root(top or workspace, config or workspace, package)
    # Only a workspace has members: the root of every other project is its package, too.
    folder = top or folder
    return Root(folder, config or folder, folder)


def is_marked(folder: Path) -> bool:
    """Tells whether the folder has a file in it that marks a project, such as pyproject.toml."""
    return _has(folder, MARKERS)


def _above(start: Path, top: Path | None) -> Iterator[Path]:
    """Yields `start` and the folders above it, up to `top` or the git repository's root.

    It stops below a home folder and below a folder into which everybody may write, since neither is a project.
    """
    home = Path.home().resolve()
    for folder in (start, *start.parents):
        if folder in (home, Path(folder.anchor)) or (folder != start and _is_public(folder)):
            return
        yield folder
        if folder == top or _has(folder, (".git",)):
            return


def _has(folder: Path, names: tuple[str, ...]) -> bool:
    # A broken symlink counts: whatever reads it reports what is wrong with it.
    return any((folder / name).exists() or (folder / name).is_symlink() for name in names)


def _is_public(folder: Path) -> bool:
    """Tells whether a stranger could have put a file into the folder, as into one for temporary files."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def _workspace(package: Path, above: list[Path]) -> Path | None:
    """Returns the root of the uv workspace that `package` is a member of, None if it is a member of none.

    `members` and `exclude` are globs: https://docs.astral.sh/uv/concepts/projects/workspaces/.
    """
    if not (package / "pyproject.toml").is_file():
        return None
    for folder in above:
        if folder != package and package.is_relative_to(folder):
            workspace = table(read_pyproject(folder), "tool", "uv", "workspace")
            path = package.relative_to(folder).as_posix()
            if _matches(path, workspace.get("members")) and not _matches(path, workspace.get("exclude")):
                return folder
    return None


def _matches(path: str, globs: object) -> bool:
    patterns = [glob.strip("/") for glob in globs if isinstance(glob, str)] if isinstance(globs, list) else []
    return any(
        fnmatchcase(path, pattern) and (path.count("/") == pattern.count("/") or "**" in pattern)
        for pattern in (pattern.removeprefix("./") for pattern in patterns)
    )
