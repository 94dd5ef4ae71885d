"""The root of a project, found above its server: what lies in it is the project's own, and can be deployed with it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .pyproject import read_pyproject, table

CONFIGS = ("fastmcp.toml", "fastmcp.json")
MARKERS = ("pyproject.toml", "uv.lock", "requirements.txt", "setup.py", "setup.cfg", "Pipfile", "package.json")


@dataclass(frozen=True, slots=True)
class Root:
    """`folder` is the root, `config` the folder of the configuration, `package` the one that says what the project
    needs and which programs it has: the root itself, or within it a member of a uv workspace.
    """

    folder: Path
    config: Path
    package: Path

    @property
    def member(self) -> str:
        return "" if self.package == self.folder else self.package.relative_to(self.folder).as_posix()


def find_root(start: Path, top: Path | None = None) -> Root:
    """The root of what lies in the folder `start`, which is absolute and free of symlinks.

    The nearest folder upward with a configuration is it, else the nearest that has a project's file in it, else the one
    of the git repository, else `start`. Of a member of a uv workspace it is the root of the workspace: the lock and the
    other members are there. `top` is the root where that is known, as on a platform that a project was sent to.
    """
    above = list(_above(start, top))
    config = next((folder for folder in above if _has(folder, CONFIGS)), None)
    marked = next(filter(is_marked, above), None)
    repository = next((folder for folder in above if _has(folder, (".git",))), None)
    package = marked if config is None or (marked and marked.is_relative_to(config)) else config
    package = package or repository or start
    folder = config or package
    workspace = _workspace(package, above)
    if workspace is not None and folder.is_relative_to(workspace):
        return Root(top or workspace, config or workspace, package)
    # Only a workspace has members: any other project is one as a whole.
    folder = top or folder
    return Root(folder, config or folder, folder)


def is_marked(folder: Path) -> bool:
    """Whether the folder has a project's file in it."""
    return _has(folder, MARKERS)


def _above(start: Path, top: Path | None) -> Iterator[Path]:
    """`start` and the folders above it, up to `top`, the git repository's, or the last that is somebody's project:
    neither a home folder nor one into which everybody may write is one.
    """
    home = Path.home().resolve()
    for folder in (start, *start.parents):
        if folder in (home, Path(folder.anchor)) or (folder != start and _is_public(folder)):
            return
        yield folder
        if folder == top or _has(folder, (".git",)):
            return


def _has(folder: Path, names: tuple[str, ...]) -> bool:
    # A broken link counts: it is there to be seen, and what reads it says what is wrong with it.
    return any((folder / name).exists() or (folder / name).is_symlink() for name in names)


def _is_public(folder: Path) -> bool:
    """Whether it is a folder for temporary files and the like, where a stranger could have put a file."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)


def _workspace(package: Path, above: list[Path]) -> Path | None:
    """The root of the uv workspace that `package` is a member of.

    https://docs.astral.sh/uv/concepts/projects/workspaces/: `members` and `exclude` are globs.
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
