"""Opens projects that come from elsewhere: a package of PyPI or npm, or a git repository.

A package is a project without files of its own, and what it runs is found among what is installed. A repository is
cloned, and read as a folder is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from ..errors import SourceError
from ..home import Home, write_atomic
from .command import as_requirement
from .load import load_project
from .package_json import parse_package
from .project import Project

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PYPI, NPM = "pypi:", "npm:"
CLONE_TIMEOUT_S = 600.0

_URL = re.compile(r"(git\+)?(https?|ssh|git|file)://|[\w.-]+@[\w.-]+:")
_TREE = re.compile(r"(https://(?:github|gitlab)\.com/[^/]+/[^/]+)(?:/-)?/tree/([^/]+)/?(.*)")


@dataclass(frozen=True, slots=True)
class Repository:
    """Holds the `url` of a repository as git takes it, a branch, tag or commit as `ref`, and the project's `folder` in
    it.
    """

    url: str
    ref: str
    folder: str


def is_source(text: str) -> bool:
    """Tells whether what was typed names a package or a repository, and is no path."""
    return text.startswith((PYPI, NPM)) or _URL.match(text) is not None


@contextmanager
def opened(text: str, args: Sequence[str], home: Home) -> Iterator[Project]:
    """Opens the project at the source `text`; a repository's clone is removed when the context ends.

    Raises SourceError when it cannot be cloned, or has no such folder.
    """
    if text.startswith((PYPI, NPM)):
        yield read_package_source(text, args, home)
        return
    repository = parse_repository(text)
    clones = home.root / "clones"
    clones.mkdir(mode=0o700, exist_ok=True)
    with TemporaryDirectory(dir=clones) as folder:
        _clone(repository, Path(folder))
        inner = Path(folder, repository.folder).resolve()
        if not inner.is_dir() or not inner.is_relative_to(Path(folder).resolve()):
            raise SourceError(f"{repository.folder!r} is no folder of {without_password(repository.url)}")
        yield replace(load_project(inner, args), source=without_password(text))


def read_package_source(text: str, args: Sequence[str], home: Home) -> Project:
    """Returns the project of `pypi:` or `npm:` followed by a package.

    Raises SourceError for a malformed package.
    """
    if text.startswith(PYPI):
        requirement, program = _requirement(text)
        folder = home.root / "packages" / "pypi"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        project = Project(folder, None, script=program or requirement.name, dependencies=(str(requirement),))
    else:
        name, version = _npm_package(text)
        data = json.dumps({"private": True, "dependencies": {name: version}}).encode()
        folder = home.root / "packages" / sha256(data).hexdigest()[:32]
        write_atomic(folder / "package.json", data)
        project = Project(folder, None, command=("npx", name, *args))
    return replace(project, args=tuple(args) if project.script else (), source=text, typed=text)


def parse_repository(text: str) -> Repository:
    """Parses `URL[@REF][#subdirectory=FOLDER]`, as pip takes it, or the address of a folder on GitHub or GitLab.

    See https://pip.pypa.io/en/stable/topics/vcs-support/. Raises SourceError for a malformed ref.
    """
    url, _, fragment = text.removeprefix("git+").partition("#")
    folder = fragment.removeprefix("subdirectory=") if fragment else ""
    if match := _TREE.fullmatch(url):
        return Repository(match[1], match[2], folder or match[3])
    # An `@` before the path belongs to the user's name, one in the path starts the ref.
    start = url.find("/", url.find("://") + 3) if "://" in url else url.find(":")
    path, at, ref = url[start:].rpartition("@") if start >= 0 else ("", "", "")
    if not at:
        return Repository(url, "HEAD", folder)
    if not ref or ref.startswith("-"):
        raise SourceError(f"{without_password(text)}: {ref!r} is no branch, tag or commit")
    return Repository(url[:start] + path, ref, folder)


def without_password(url: str) -> str:
    """Returns `url` without its user and password, since it is shown and stored."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _clone(repository: Repository, folder: Path) -> None:
    for command in (
        ["init", "--quiet", "--template="],
        ["fetch", "--quiet", "--depth=1", "--no-tags", "--", repository.url, repository.ref],
        ["checkout", "--quiet", "--force", "FETCH_HEAD"],
    ):
        _git(command, folder, without_password(repository.url))


def _git(command: Sequence[str], folder: Path, shown: str) -> None:
    # git may use the keys of whoever deploys, but must not ask for a password here.
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
    try:
        done = subprocess.run(
            ["git", *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CLONE_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise SourceError("git is not installed, and only git reads a repository", hint="Install git.") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"{shown} cannot be cloned: it took longer than {CLONE_TIMEOUT_S:g} s") from None
    if done.returncode:
        said = re.sub(r"(?<=://)[^/\s@]+@", "", (done.stderr.strip().splitlines() or ["git failed"])[-1])
        raise SourceError(f"{shown} cannot be cloned: {said}", hint="See that `git clone` of it works here.")


def _requirement(text: str) -> tuple[Requirement, str]:
    """Returns the package of `pypi:PACKAGE[:PROGRAM]` and which of its programs is meant, empty where none is named."""
    # Imported late, since a file or a folder does not need it.
    from packaging.requirements import InvalidRequirement, Requirement

    package, _, program = text.removeprefix(PYPI).partition(":")
    try:
        requirement = Requirement(as_requirement(package))
    except InvalidRequirement:
        requirement = None
    if requirement is None or requirement.url or requirement.marker:
        raise SourceError(
            f"{text!r} is not a package of PyPI",
            hint="Write pypi:NAME, pypi:NAME==VERSION, pypi:NAME[EXTRA] or pypi:NAME:PROGRAM.",
        )
    return requirement, program


def _npm_package(text: str) -> tuple[str, str]:
    found = parse_package(text.removeprefix(NPM))
    if found is None:
        raise SourceError(
            f"{text!r} is not a package of npm", hint="Write npm:NAME, npm:@SCOPE/NAME or npm:NAME@VERSION."
        )
    return found
