"""Treats the project itself as a package: what an installation has beside its source, and where imports find its
modules.

Its modules stay where they are in the app, so that a change to code alone builds nothing. What else its wheel has
(own_wheel.py) is cached by a hash of the files that decide it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.project import Project
from ..config.pyproject import table
from ..config.python_version import folders_up
from .model import Interpreter, SourceFile
from .pyproject import has_build_system, load_toml
from .uv import UvError

# Files that build backends read by convention, and source that they compile.
_DECIDING = re.compile(
    r"(?i)(?:^|/)(?:readme|licen[cs]e|copying|notice|authors|version|manifest)[^/]*$|(?:^|/)(?:setup|pyproject|uv|hatch)"
    r"[^/]*\.(?:py|cfg|toml)$|\.(?:c|cc|cpp|h|hpp|pyx|pxd|rs)$"
)
_VERSION_LINE = re.compile(rb"(?im)^_*version_*\s*[:=]")
_FROM_VERSION_CONTROL = re.compile(r"(?i)scm|vcs|versioning|versioneer|pbr|dunamai")


@dataclass(frozen=True, slots=True)
class OwnPackage:
    """Describes the project as a package.

    `roots` are the app's folders from which the project's modules are imported, "" for the app itself. `files` are what
    an installation has beside the source, relative to the app; they lie in `folder`.
    """

    roots: tuple[str, ...] = ()
    files: tuple[SourceFile, ...] = ()
    folder: Path = Path()


def own_package(
    project: Project, paths: Sequence[str], interpreter: Interpreter, cache: Path, note: Callable[[str], None]
) -> OwnPackage:
    """Returns the package that the project is; it is empty when it has no build system or cannot be built.

    `paths` are the app's files. `note` gets the reason when it cannot be built, since `python server.py` may do
    without.
    """
    server = project.entrypoint.file if project.entrypoint else None
    start = (project.folder / server).parent if server else project.folder / project.member
    home = next((folder for folder in folders_up(start, project.folder) if has_build_system(folder)), None)
    if home is None or not paths:
        return OwnPackage()
    prefix = home.relative_to(project.folder).as_posix().removesuffix(".")
    prefix = f"{prefix}/" if prefix else ""
    key = _key(project.folder, home, prefix, paths, interpreter)
    remembered = cache / "packages" / key
    known = _recall(remembered, project.folder)
    if known is None:
        # Imported late, since a redeploy finds its package in the cache and would wait for it.
        from .own_wheel import remember

        try:
            remember(remembered, project.folder, prefix, interpreter)
        except UvError as error:
            note(f"the project itself is not installed, since it cannot be built: {error.build_reason}")
            return OwnPackage()
        known = _recall(remembered, project.folder)
    return known or OwnPackage()


def _key(root: Path, home: Path, prefix: str, paths: Sequence[str], interpreter: Interpreter) -> str:
    """Returns a hash of what the build backend may read, as far as that is known before it has run."""
    settings = load_toml(home / "pyproject.toml") if (home / "pyproject.toml").is_file() else {}
    text = (home / "pyproject.toml").read_text(errors="replace") if settings else ""
    dynamic = table(settings, "project").get("dynamic", [])
    is_dynamic = not table(settings, "project") or (isinstance(dynamic, list) and "version" in dynamic)
    digest = hashlib.sha256(f"{prefix}\0{interpreter.minor}\0{interpreter.platform}\0".encode())
    packages = {path.rpartition("/")[0] for path in paths if path.endswith("__init__.py")}
    for path in paths:
        named = path.removeprefix(prefix)
        decides = bool(_DECIDING.search(named)) or any(f"{quote}{named}{quote}" in text for quote in "'\"")
        if not path.startswith(prefix) or not (decides or path.endswith(".py") or _is_below(path, packages, text)):
            continue
        digest.update(f"{path}\0".encode())
        if decides:
            digest.update(_sha256(root / path).encode())
        elif is_dynamic and path.endswith(".py") and _VERSION_LINE.search(content := (root / path).read_bytes()):
            digest.update(hashlib.sha256(content).digest())
    if is_dynamic and _FROM_VERSION_CONTROL.search(str(table(settings, "build-system").get("requires"))):
        digest.update(_commit(root / ".git").encode())
    return digest.hexdigest()[:32]


def _is_below(path: str, packages: set[str], settings: str) -> bool:
    """Tells whether a folder on the way to `path` is a package, or named in the settings of the build."""
    above = [parent.as_posix() for parent in Path(path).parents][:-1]
    return any(folder in packages or folder in settings for folder in above)


def _commit(git: Path) -> str:
    try:
        head = (git / "HEAD").read_text().strip()
        packed = (git / "packed-refs").read_text() if (git / "packed-refs").is_file() else ""
        reference = git / head.removeprefix("ref: ")
        tags = sorted(path.name for path in (git / "refs/tags").rglob("*"))
        return f"{head} {reference.read_text() if reference.is_file() else ''} {packed} {tags}"
    except OSError:
        return ""


def _recall(remembered: Path, root: Path) -> OwnPackage | None:
    try:
        data = json.loads((remembered / "package.json").read_bytes())
    except FileNotFoundError:
        return None
    if any(_sha256(root / path) != sha256 for path, sha256 in data["copied"].items()):
        return None
    folder = remembered / "files"
    return OwnPackage(tuple(data["roots"]), tuple(_files(folder)), folder)


def _files(folder: Path) -> Iterable[SourceFile]:
    for path in sorted(folder.rglob("*"), key=Path.as_posix):
        if path.is_file():
            yield SourceFile(path.relative_to(folder).as_posix(), _sha256(path), executable=False)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
