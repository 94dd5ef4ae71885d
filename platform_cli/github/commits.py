"""Defines how a commit gets into a folder, by whichever Source, and checks its content, which is hostile until then."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..errors import GitHubError, SourceError
from ..pipeline.source import MAX_BYTES, MAX_FILES
from .repository import Repository

# A pointer of Git LFS begins with this, and has less than 1024 bytes:
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LFS = b"version https://git-lfs.github.com/spec/"
LFS_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Commit:
    """Describes a commit; `message` is the first line of its message."""

    sha: str
    author: str
    message: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """Is a file of a commit, or a submodule; `size` is in bytes."""

    path: str
    is_submodule: bool
    size: int


class MovedError(GitHubError):
    """Says that the repository has been renamed or transferred."""


class Source(Protocol):
    """Fetches commits from GitHub, with `token` as GitHub's token."""

    def list_refs(self, repository: Repository, token: str, *refs: str) -> dict[str, str]:
        """Returns the commits of those refs that exist, by the ref's name.

        Raises RevokedTokenError for a token that GitHub refuses, MovedError for a renamed repository, and GitHubError
        when GitHub cannot be reached.
        """

    def check_out(
        self, repository: Repository, token: str, sha: str, folder: str, destination: Path
    ) -> tuple[Commit, Path]:
        """Fetches a commit into the empty folder `destination`, and returns it with its folder `folder` (`""` for all
        of it).

        Raises SourceError for what is not deployed (submodules, LFS, symlinks that lead out, too much), and if the
        folder is missing; RevokedTokenError and GitHubError when the commit cannot be fetched.
        """


def check_tree(entries: Sequence[TreeEntry], folder: str) -> None:
    """Raises SourceError for a commit that must not be written to disk: one with submodules, without the folder, or too
    large.
    """
    inside = [entry for entry in entries if not folder or entry.path.startswith(f"{folder}/")]
    if not inside:
        raise SourceError(f"the commit has no folder {folder!r}" if folder else "the commit is empty")
    for entry in inside:
        if entry.is_submodule:
            raise SourceError(
                f"{entry.path} is a submodule, and those are not deployed",
                hint="copy what the server needs of it into the repository, or install it as a package",
            )
    total = sum(entry.size for entry in entries)
    if len(entries) > MAX_FILES or total > MAX_BYTES:
        raise SourceError(
            f"the commit has {len(entries):,} files of {total / 1e6:,.0f} MB; "
            f"up to {MAX_FILES:,} files of {MAX_BYTES // 1_000_000} MB are deployed"
        )


def check_files(root: Path, destination: Path) -> None:
    """Raises SourceError for symlinks that leave the project and for pointers of Git LFS.

    Configuration is read before the source is collected, so no symlink may lead out from the start.
    """
    real = root.resolve()
    if not real.is_relative_to(destination.resolve()) or not real.is_dir():
        raise SourceError(f"{root.relative_to(destination)} is not a folder of the repository")
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            shown = path.relative_to(destination)
            if path.is_symlink():
                if not path.resolve().is_relative_to(real):
                    raise SourceError(f"{shown} is a symlink that leaves the project", hint="put a file in its place")
            elif path.is_file() and path.stat().st_size < LFS_BYTES and path.read_bytes().startswith(LFS):
                raise SourceError(
                    f"{shown} is kept in Git LFS, and its content is not fetched",
                    hint="commit the file itself, or have the server fetch it",
                )
