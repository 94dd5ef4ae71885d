"""The project itself as a package: what an installation would have beside its source, and where imports find it.

Its modules stay where they are in the app, so that a change to code alone builds nothing. A wheel is built once to see
which of its files the source has, and under which folder; the others (metadata with the entry points, a generated
_version.py, data from elsewhere) are added to the app.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from platform_cli.build.model import Interpreter, SourceFile
from platform_cli.build.pyproject import has_build_system, load_toml
from platform_cli.build.scratch import scratch_copy
from platform_cli.build.source import collect_source
from platform_cli.build.uv import UvError
from platform_cli.build.wheel import build_reason, build_wheel
from platform_cli.config.project import Project
from platform_cli.config.pyproject import table
from platform_cli.config.python_version import folders_up
from platform_cli.errors import SourceError

# What backends read by convention, and what they compile.
_DECIDING = re.compile(
    r"(?i)(?:^|/)(?:readme|licen[cs]e|copying|notice|authors|version|manifest)[^/]*$|(?:^|/)(?:setup|pyproject|uv|hatch)"
    r"[^/]*\.(?:py|cfg|toml)$|\.(?:c|cc|cpp|h|hpp|pyx|pxd|rs)$"
)
_VERSION_LINE = re.compile(rb"(?im)^_*version_*\s*[:=]")
_FROM_VERSION_CONTROL = re.compile(r"(?i)scm|vcs|versioning|versioneer|pbr|dunamai")


@dataclass(frozen=True, slots=True)
class OwnPackage:
    """`roots` are the app's folders from which the project's modules are imported, "" for the app itself; `files` are
    what an installation has beside the source, relative to the app, and lie below `folder`.
    """

    roots: tuple[str, ...] = ()
    files: tuple[SourceFile, ...] = ()
    folder: Path = Path()


def own_package(
    project: Project, paths: Sequence[str], interpreter: Interpreter, cache: Path, note: Callable[[str], None]
) -> OwnPackage:
    """The package that the project is, of whose files the app has `paths`; empty when it has no build system. When it
    cannot be built, `note` is told why: `python server.py` may do without.
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
        try:
            _remember(remembered, project.folder, prefix, interpreter)
        except UvError as error:
            note(f"the project itself is not installed, since it cannot be built: {build_reason(error)}")
            return OwnPackage()
        known = _recall(remembered, project.folder)
    return known or OwnPackage()


def _key(root: Path, home: Path, prefix: str, paths: Sequence[str], interpreter: Interpreter) -> str:
    """Names what the build backend may look at, so far as that is known before it has run."""
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
    """Whether a folder on the way to `path` is a package, or named in the settings of the build."""
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


def _remember(final: Path, root: Path, prefix: str, interpreter: Interpreter) -> None:
    """Builds the wheel, and keeps below `final` what of it the source does not have."""
    source = collect_source(root, None).files
    final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=final.parent, prefix=".new-"))
    try:
        with scratch_copy(root) as copy:
            build_wheel(copy / prefix, interpreter, new)
        wheel = next(new.glob("*.whl"))
        found = _compare(wheel, [file for file in source if file.path.startswith(prefix)], prefix, new / "files")
        wheel.unlink()
        (new / "package.json").write_text(json.dumps(found))
        shutil.rmtree(final, ignore_errors=True)
        new.rename(final)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _compare(wheel: Path, source: Sequence[SourceFile], prefix: str, folder: Path) -> dict[str, object]:
    """The roots under which `source` has files of the wheel; the others are written below `folder`. `copied` are source
    files that the wheel has in another place: a change to one of them changes the wheel.
    """
    by_content: dict[str, list[str]] = {}
    for file in source:
        by_content.setdefault(file.sha256, []).append(file.path)
    with zipfile.ZipFile(wheel) as zipped:
        contents = {name: zipped.read(info) for info, name in _members(zipped)}
    identical: dict[str, str] = {}
    roots: Counter[str] = Counter()
    for name, content in contents.items():
        same = by_content.get(hashlib.sha256(content).hexdigest(), ())
        above = [path.removesuffix(name).rstrip("/") for path in same if f"/{path}".endswith(f"/{name}")]
        if above:
            # Not what an earlier build left in build/lib.
            identical[name] = min(above, key=lambda folder: (folder.count("/"), len(folder)))
    roots.update(identical.values())
    main = roots.most_common(1)[0][0] if roots else prefix.rstrip("/")
    taken = {file.path for file in source}
    copied: dict[str, str] = {}
    for name, content in contents.items():
        target = f"{main}/{name}" if main else name
        if name in identical or target in taken:
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        copied.update(dict.fromkeys(by_content.get(sha256, ()), sha256) if content else {})
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_bytes(content)
    return {"roots": [main, *(root for root, _ in roots.most_common() if root != main)], "copied": copied}


def _members(zipped: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """The files of a wheel with the path that they are installed at; those that belong elsewhere than to the modules
    are left out. https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    for info in zipped.infolist():
        name = info.filename
        if match := re.match(r"[^/]+\.data/(purelib|platlib)/(.+)$", name):
            name = match[2]
        # The record has hashes of code that is not built again when it changes.
        if info.is_dir() or re.match(r"[^/]+\.data/", name) or name.endswith(".dist-info/RECORD"):
            continue
        if ".." in Path(name).parts or name.startswith("/"):
            raise SourceError(f"the wheel of the project has the path {name}", hint="Correct its build configuration.")
        yield info, name


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
