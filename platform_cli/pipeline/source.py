"""Selects, hashes and copies the project's own files, the app part of a bundle. Paths are hostile until checked."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SourceError
from ..project_files.ignore import IgnoreRules, Included, never_taken, why_left
from ..project_files.imports import local_files
from .model import Source, SourceFile

MAX_FILES = 50_000
MAX_BYTES = 500 * 1000 * 1000
COPY_TIME = 315_532_800  # 1980-01-01T00:00:00Z, the earliest that a zip archive can hold
_CHUNK = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """Is a regular file to take: `path` is relative to the project folder, `real` is where its content is."""

    path: str
    real: str
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """Holds the files of a project folder that are taken, and the folders from which no file is taken."""

    files: tuple[Found, ...]
    folders: tuple[str, ...] = ()


def collect_source(folder: Path, entrypoint: str | None, include: Sequence[str] = ()) -> Source:
    """Returns the files and empty folders of the app with their hashes, and raises SourceError
    as `find_source` does.
    """
    tree = find_source(folder, entrypoint, include)
    return Source(hash_source(folder, tree.files), tree.folders)


def hash_source(folder: Path, found: Sequence[Found]) -> tuple[SourceFile, ...]:
    root = folder.resolve()
    return tuple(SourceFile(file.path, _hash(root, file), file.executable) for file in found)


def find_source(folder: Path, entrypoint: str | None, include: Sequence[str] = ()) -> Tree:
    """Returns the files and empty folders of `folder` that belong to the app, sorted by path.

    Left out are what .gitignore files ignore, what .homeportignore in the project folder ignores (it takes precedence),
    and always version control, .env files, virtual environments, caches and node_modules; `include` names paths that
    are taken nevertheless. Symlinks within the folder become the files they point to. Of a home folder or `/` only the
    server and the local modules it imports are taken.

    Raises SourceError for an entry point that is missing or ignored, a path in `include` that does not exist, a symlink
    that leaves the folder, and for too many files or bytes.
    """
    root = folder.resolve()
    if entrypoint is not None and not (root / entrypoint).is_file():
        raise SourceError(
            f"{entrypoint} does not exist in {folder}", hint="Name the server file: `homeport deploy server.py`."
        )
    for path in include:
        if not (root / path).exists():
            raise SourceError(
                f"include names {path}, which does not exist in {folder}", hint="Take it out, or make it."
            )
    if root in (Path.home().resolve(), Path(root.anchor)):
        tree = Tree(tuple(_found(root, path) for path in local_files(root, entrypoint)) if entrypoint else ())
    else:
        tree = _Walk(root, Included(tuple(include))).tree()
    if entrypoint is not None and Path(entrypoint).as_posix() not in {file.path for file in tree.files}:
        _explain_missing(root, Path(entrypoint).as_posix(), Included(tuple(include)))
    return Tree(tuple(sorted(tree.files, key=lambda file: file.path)), tuple(sorted(tree.folders)))


def copy_source(folder: Path, files: Sequence[SourceFile], destination: Path) -> None:
    """Copies `files` below `destination`, which is created, with modes 0644 and 0755 and one fixed time.

    Raises SourceError when a file is no longer what was collected, or now leads out of the folder.
    """
    root = folder.resolve()
    destination.mkdir(parents=True, exist_ok=True)
    for file in files:
        target = destination / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as output:
            for chunk in _read(root, file.path, os.path.realpath(root / file.path)):
                digest.update(chunk)
                output.write(chunk)
        if digest.hexdigest() != file.sha256:
            raise SourceError(f"{file.path} changed while it was being deployed", hint="Run the command again.")
        target.chmod(0o755 if file.executable else 0o644)
        os.utime(target, (COPY_TIME, COPY_TIME))


@dataclass(slots=True)
class _Walk:
    """Is one walk through the project folder `root`."""

    root: Path
    included: Included
    folders: list[str] = field(default_factory=list)

    def tree(self) -> Tree:
        found: list[Found] = []
        total = 0
        for file in self._files("", str(self.root), IgnoreRules(self.root), (str(self.root),)):
            found.append(file)
            total += file.size
            if len(found) > MAX_FILES:
                _too_much(found, f"more than {MAX_FILES:,} files")
        if total > MAX_BYTES:
            _too_much(found, f"{total / 1e6:,.0f} MB, more than {MAX_BYTES // 1_000_000} MB")
        return Tree(tuple(found), tuple(self.folders))

    def _files(self, prefix: str, directory: str, rules: IgnoreRules, above: tuple[str, ...]) -> Iterator[Found]:
        """Yields the files below `directory`, which is `prefix` in the app; `above` are the real folders on the way to
        it.
        """
        try:
            with os.scandir(directory) as entries:
                children = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise _unreadable(prefix or str(self.root), error) from error
        if prefix and not self._named(prefix[:-1]) and any(child.name == "pyvenv.cfg" for child in children):
            return
        rules = rules.enter(prefix, directory)
        is_hidden = _hides_itself(prefix, rules)
        for child in children:
            path = prefix + _decoded(child.name, prefix)
            is_dir = _is_dir(child, path)
            if not self._named(path) and (never_taken(child.name) or rules.match(path, is_dir=is_dir)):
                if not is_hidden:
                    self._leave(child, path)
                continue
            real = self._follow(child.path, path) if child.is_symlink() else child.path
            if real is None or real in above:
                continue
            if is_dir:
                yield from self._folder(path, real, rules, (*above, real))
            elif child.is_file():  # neither a socket, a pipe, a device, nor a symlink to nothing
                status = child.stat()
                yield Found(path, real, status.st_size, bool(status.st_mode & stat.S_IXUSR))

    def _folder(self, path: str, real: str, rules: IgnoreRules, above: tuple[str, ...]) -> Iterator[Found]:
        is_empty, known = True, len(self.folders)
        for file in self._files(f"{path}/", real, rules, above):
            is_empty = False
            yield file
        if is_empty and len(self.folders) == known and not _is_of_a_tool(real) and not _hides(path, real, rules):
            self.folders.append(path)

    def _leave(self, child: os.DirEntry[str], path: str) -> None:
        """Notes an ignored folder, which is deployed empty: servers write into such folders, and few of them create
        them.
        """
        if child.is_dir(follow_symlinks=False) and not _is_of_a_tool(child.path):
            self.folders.append(path)

    def _named(self, path: str) -> bool:
        return bool(self.included.paths) and (self.included.takes(path) or self.included.leads_to(path))

    def _follow(self, link: str, path: str) -> str | None:
        """Returns what a symlink points to; None when that does not exist, or is never deployed.

        Raises SourceError when it leaves the folder.
        """
        real = os.path.realpath(link)
        if not Path(real).exists():
            return None
        if not _within(self.root, real):
            raise SourceError(
                f"{path} is a symlink that leaves the project folder: it points to {real}",
                hint="Copy what it points to into the project, or name it in .homeportignore.",
            )
        hidden = any(never_taken(part) for part in Path(real).relative_to(self.root).parts)
        return None if hidden and not self.included.takes(path) else real


def _is_dir(child: os.DirEntry[str], path: str) -> bool:
    try:
        return child.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False  # a symlink that leads back to itself: to nothing, that is
        raise _unreadable(path, error) from error


def _hides_itself(prefix: str, rules: IgnoreRules) -> bool:
    """Tells whether the .gitignore of a folder ignores itself, by which programs hide what they wrote."""
    return rules.match(f"{prefix}.gitignore", is_dir=False) is not None


def _hides(path: str, real: str, rules: IgnoreRules) -> bool:
    return Path(real, ".gitignore").exists() and _hides_itself(f"{path}/", rules.enter(f"{path}/", real))


def _is_of_a_tool(directory: str) -> bool:
    """Tells whether a folder is a cache, a virtual environment or the like, which no server misses."""
    path = Path(directory)
    named = path.name.startswith((".", "__")) or path.suffix == ".egg-info" or never_taken(path.name)
    return named or (path / "pyvenv.cfg").exists()


def _found(root: Path, path: str) -> Found:
    real = os.path.realpath(root / path)
    status = Path(real).stat()
    return Found(path, real, status.st_size, bool(status.st_mode & stat.S_IXUSR))


def _hash(root: Path, file: Found) -> str:
    digest = hashlib.sha256()
    for chunk in _read(root, file.path, file.real):
        digest.update(chunk)
    return digest.hexdigest()


def _read(root: Path, path: str, real: str) -> Iterator[bytes]:
    """Yields the content of `real`, and refuses a symlink or a pipe that took its place since it was checked."""
    if not _within(root, real):
        raise SourceError(f"{path} now leads out of the project folder, to {real}", hint="Run the command again.")
    try:
        with os.fdopen(os.open(real, _FLAGS), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SourceError(f"{path} is no longer a regular file", hint="Run the command again.")
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise _unreadable(path, error) from error


def _within(root: Path, real: str) -> bool:
    return Path(real).is_relative_to(root)


def _decoded(name: str, prefix: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = prefix + os.fsencode(name).decode("utf-8", "backslashreplace")
        raise SourceError(
            f"the name of {shown} is not UTF-8", hint="Rename it, or leave it out with .homeportignore."
        ) from error
    return name


def _unreadable(path: str, error: OSError) -> SourceError:
    return SourceError(
        f"{path} cannot be read: {error.strerror}", hint="Make it readable, or leave it out with .homeportignore."
    )


def _too_much(found: Sequence[Found], how_much: str) -> None:
    largest = sorted(found, key=lambda file: -file.size)[:5]
    listed = ", ".join(f"{file.path} ({file.size / 1e6:,.1f} MB)" for file in largest)
    raise SourceError(
        f"the project folder holds {how_much}; the largest: {listed}",
        hint="Leave out with .homeportignore (gitignore syntax) what the server does not need.",
    )


def _explain_missing(root: Path, entrypoint: str, included: Included) -> None:
    """Raises the SourceError that says why the entry point was not taken."""
    why = why_left(root, entrypoint, included) or "lies outside the project folder"
    raise SourceError(
        f"the entry point {entrypoint} {why}, so it would not be deployed",
        hint=f'include = ["{entrypoint}"] under [deployment] in fastmcp.toml takes it nevertheless; or move the file.',
    )
