"""Copies projects for build backends, which write beside what they read: the user's folder is never written to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..temporary import temporary_folder
from .source import collect_source, copy_source


@contextmanager
def scratch_copy(root: Path, needed: Iterable[str] = (), outside: Iterable[Path] = ()) -> Iterator[Path]:
    """Yields a copy of the project in `root`, which is removed afterwards.

    Version control is linked into it, for backends that read the version from it. `needed` files are copied though
    ignored, and so are `outside` packages, to which relative paths lead.
    """
    with temporary_folder("scratch") as top:
        base = top.resolve()
        copy = place_in(base, root)
        for folder in (root, *outside):
            if folder.is_dir():
                copy_source(folder, collect_source(folder, None).files, place_in(base, folder))
            else:
                _copy_file(folder, place_in(base, folder))
        for name in needed:
            if (root / name).is_file() and not (copy / name).exists():
                _copy_file(root / name, copy / name)
        _link_version_control(root / ".git", copy / ".git")
        yield copy


def place_in(base: Path, path: Path) -> Path:
    """Returns the copy's path below `base` for `path`; relative paths lead from one copy to another as
    they did before.
    """
    return base.joinpath(*path.resolve().parts[1:])


def _link_version_control(git: Path, link: Path) -> None:
    """Makes a .git of copied files, since `git describe --dirty` writes the index, and of linked folders."""
    if not git.is_dir():
        if git.exists():  # a file, in a worktree or a submodule
            link.symlink_to(git.resolve())
        return
    link.mkdir()
    for child in git.iterdir():
        if child.is_dir():
            (link / child.name).symlink_to(child.resolve())
        elif child.is_file() and not child.name.endswith(".lock"):
            _copy_file(child, link / child.name)


def _copy_file(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
