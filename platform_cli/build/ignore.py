"""What of a project folder stays behind: .gitignore, .homeportignore, and what is never deployed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_NEVER = frozenset(
    {".git", ".hg", ".svn", ".env", ".DS_Store", "__pycache__", "node_modules",
     ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}
)  # fmt: skip


def never_taken(name: str) -> bool:
    """Whether a file or folder of this name is left out whatever the ignore files say."""
    return name in _NEVER or name.endswith(".pyc") or (name.startswith(".env.") and name != ".env.example")


@dataclass(frozen=True, slots=True)
class Ignored:
    """The rule that leaves a path out."""

    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"the rule `{self.rule}` ({self.file}, line {self.line})"


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """One ignore file; `base` is the path of its folder, empty or with a final slash."""

    name: str
    base: str
    lines: tuple[tuple[int, str], ...]
    spec: GitIgnoreSpec


class IgnoreRules:
    """The ignore files that apply in one folder, as git reads them: the deepest with a matching rule decides.

    .homeportignore, in the project folder only, is asked before all of them. An ignored folder is not entered, so
    nothing within it can be taken back.
    """

    def __init__(self, root: Path, files: tuple[_IgnoreFile, ...] | None = None) -> None:
        self._root = root
        self._files = _read(root / ".homeportignore", "") if files is None else files

    def enter(self, base: str, directory: str) -> IgnoreRules:
        """The rules within `directory`, whose path in the project is `base`."""
        nested = _read(Path(directory) / ".gitignore", base)
        if not nested:
            return self
        own = tuple(file for file in self._files if file.name == ".homeportignore")
        return IgnoreRules(self._root, (*own, *nested, *self._files[len(own) :]))

    def match(self, path: str, *, is_dir: bool) -> Ignored | None:
        """The rule that ignores `path` (relative to the project folder), None when it is to be taken."""
        for file in self._files:
            result = file.spec.check_file(path[len(file.base) :] + ("/" if is_dir else ""))
            if result.include is not None:
                if not result.include or result.index is None:
                    return None
                line, rule = file.lines[result.index]
                return Ignored(file.base + file.name, line, rule)
        return None


def _read(file: Path, base: str) -> tuple[_IgnoreFile, ...]:
    # A symlinked ignore file is not followed, as git does not follow one.
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    with os.fdopen(descriptor, encoding="utf-8-sig", errors="replace") as opened:
        text = opened.read()
    lines = tuple(
        (number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")
    )
    if not lines:
        return ()
    from pathspec import GitIgnoreSpec

    return (_IgnoreFile(file.name, base, lines, GitIgnoreSpec.from_lines(line for _, line in lines)),)
