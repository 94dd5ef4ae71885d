"""Decides which files of a project folder are not deployed: by .gitignore, by .homeportignore, and by fixed rules."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
_NEVER = _VERSION_CONTROL | frozenset(
    {".env", ".DS_Store", "__pycache__", "node_modules",
     ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}
)  # fmt: skip


def never_taken(name: str) -> bool:
    """Tells whether a file or folder of this name is left out whatever the ignore files say."""
    return name in _NEVER or name.endswith(".pyc") or (name.startswith(".env.") and name != ".env.example")


@dataclass(frozen=True, slots=True)
class Included:
    """Holds the paths, relative to the project folder, that are deployed even if a rule leaves them out."""

    paths: tuple[str, ...]

    def takes(self, path: str) -> bool:
        """Tells whether `path` is one of them or lies in one.

        Secrets are only taken by their own path, and version control never.
        """
        name = path.rpartition("/")[2]
        if name in _VERSION_CONTROL:
            return False
        below = any(path.startswith(f"{included}/") for included in self.paths)
        return path in self.paths or (below and not name.startswith(".env"))

    def leads_to(self, path: str) -> bool:
        """Tells whether one of them lies below the folder `path`."""
        return any(included.startswith(f"{path}/") for included in self.paths)


def why_left(root: Path, path: str, included: Included) -> str | None:
    """Returns what keeps `path` out of a deploy, as words that follow its name; None if nothing does.

    A path that ends with a slash is a folder, even if it does not exist.
    """
    rules, prefix, parts = IgnoreRules(root), "", path.split("/")
    for index, part in enumerate(parts):
        here = prefix + part
        rules = rules.enter(prefix, str(root / prefix))
        if not included.takes(here) and not included.leads_to(here):
            if never_taken(part) or (prefix and (root / prefix / "pyvenv.cfg").exists()):
                return "is, or lies in, what is never deployed (secrets, version control, virtual environments, caches)"
            if part and (why := rules.match(here, is_dir=index < len(parts) - 1 or (root / here).is_dir())):
                return f"is ignored by {why}"
        prefix = f"{here}/"
    return None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Names the rule that ignores a path."""

    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"the rule `{self.rule}` ({self.file}, line {self.line})"


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """Is one ignore file; `base` is the path of its folder, empty or with a final slash."""

    name: str
    base: str
    lines: tuple[tuple[int, str], ...]
    spec: GitIgnoreSpec


class IgnoreRules:
    """Holds the ignore files that apply in one folder, of which the deepest with a matching rule decides, as in git.

    .homeportignore, in the project folder only, takes precedence over all of them. An ignored folder is not entered, so
    no rule can bring back what is in it.
    """

    def __init__(self, root: Path, files: tuple[_IgnoreFile, ...] | None = None) -> None:
        self._root = root
        self._files = _read(root / ".homeportignore", "") if files is None else files

    def enter(self, base: str, directory: str) -> IgnoreRules:
        """Returns the rules within `directory`, whose path in the project is `base`."""
        nested = _read(Path(directory) / ".gitignore", base)
        if not nested:
            return self
        own = tuple(file for file in self._files if file.name == ".homeportignore")
        return IgnoreRules(self._root, (*own, *nested, *self._files[len(own) :]))

    def match(self, path: str, *, is_dir: bool) -> Ignored | None:
        """Returns the rule that ignores `path` (relative to the project folder), None if the path is deployed."""
        for file in self._files:
            result = file.spec.check_file(path[len(file.base) :] + ("/" if is_dir else ""))
            if result.include is not None:
                if not result.include or result.index is None:
                    return None
                line, rule = file.lines[result.index]
                return Ignored(file.base + file.name, line, rule)
        return None


def _read(file: Path, base: str) -> tuple[_IgnoreFile, ...]:
    # Like git, this does not follow an ignore file that is a symlink.
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
