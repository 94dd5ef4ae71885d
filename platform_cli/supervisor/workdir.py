"""Manages a project's working folder, which outlives releases and contains the files of the one that serves.

A file that a release brought is replaced by the next release. A file that the server created or changed is the
server's: it stays as it is through deploys and rollbacks. A content hash of each file that was placed tells the two
apart.

The whole folder is hostile: the server may have put symlinks, pipes and huge files into the way, and may do so
meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from ..errors import ReleaseError
from ..home import write_atomic
from ..hostile_files import digest, open_folder, open_regular

# More than all files of a release may have together (pipeline.source).
MAX_BYTES = 500 * 1000 * 1000
MAX_RECORD = 32 * 1024 * 1024
# The errors for something that is no file, or is below something that is no folder, or cannot be read.
_NOT_OURS = (errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.EEXIST, errno.EACCES, errno.EPERM, errno.ENXIO)
_OTHER = "not a file of a release"


class WorkDir:
    def __init__(self, project_folder: Path) -> None:
        self.path = project_folder / "files"
        self._record = project_folder / "placed.json"

    def place(self, app: Path, files: Mapping[str, str], folders: Iterable[str] = ()) -> None:
        """Makes the release's files (path -> sha256, content under `app`) and folders visible, but keeps the server's
        own.

        What is made belongs to the user whose the working folder is. Folders stay, since what is in them is the
        server's. Raises ReleaseError if the working folder is a symlink.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        placed = self._placed()
        if not (placed or files or folders):
            return
        with self._opened() as root:
            for folder in folders:
                with _leaving_others(), _inside(root, folder, make=True):
                    pass
            kept = _Placing(root, app, placed).all(files)
        write_atomic(self._record, json.dumps(kept, sort_keys=True).encode())

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            root = open_folder(self.path)
        except OSError as error:
            raise ReleaseError(f"{self.path} is no folder: {error.strerror}", hint="remove what is there") from error
        try:
            yield root
        finally:
            os.close(root)

    def _placed(self) -> dict[str, str]:
        try:
            with os.fdopen(open_regular(self._record, os.O_RDONLY), "rb") as file:
                placed = json.loads(file.read(MAX_RECORD))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(placed, dict):
            return {}
        return {name: sha256 for name, sha256 in placed.items() if _is_within(name) and isinstance(sha256, str)}


class _Placing:
    def __init__(self, root: int, app: Path, placed: Mapping[str, str]) -> None:
        self._root = root
        self._app = app
        self._placed = placed
        self._rest = 2 * MAX_BYTES

    def all(self, files: Mapping[str, str]) -> dict[str, str]:
        """Places the files, and returns the hashes to record."""
        kept: dict[str, str] = {}
        for name in sorted({*self._placed, *files}):
            current, wanted = self._content(name), files.get(name)
            if current is not None and current != self._placed.get(name) and current != wanted:
                # It is the server's own, or changed by it. The hash stays recorded, so that it remains the server's.
                if name in self._placed:
                    kept[name] = self._placed[name]
                continue
            if wanted is None:
                self._remove(name)
                continue
            if current != wanted:
                self._copy(name)
            kept[name] = wanted
        return kept

    def _content(self, name: str) -> str | None:
        """Returns the sha256 of a file, None if there is none; of the server's files it reads no more than releases can
        have.
        """
        path = PurePosixPath(name)
        with _leaving_others():
            try:
                with _inside(self._root, path.parent) as folder:
                    size = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_size
                    found = digest(path.name, folder=folder, most=self._rest)
            except FileNotFoundError:
                return None
            self._rest -= size if found else 0
            return found or _OTHER
        return _OTHER

    def _remove(self, name: str) -> None:
        path = PurePosixPath(name)
        with contextlib.suppress(FileNotFoundError), _inside(self._root, path.parent) as folder:
            os.unlink(path.name, dir_fd=folder)

    def _copy(self, name: str) -> None:
        path, source = PurePosixPath(name), self._app / name
        temporary = f".placed-{secrets.token_hex(8)}"
        with _inside(self._root, path.parent, make=True) as folder:
            made = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
            try:
                with os.fdopen(made, "wb") as writer, source.open("rb") as reader:
                    _give(made, as_in=folder)
                    shutil.copyfileobj(reader, writer)
                    # The server may change a file of the release, so it has to be writable.
                    os.fchmod(made, os.fstat(reader.fileno()).st_mode & 0o777 | 0o600)
                os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
                raise


def _is_within(name: object) -> bool:
    """Tells whether `name` is a relative path of a file that leads nowhere else."""
    if not isinstance(name, str) or not name or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name != "."


@contextlib.contextmanager
def _inside(root: int, path: PurePosixPath | str, *, make: bool = False) -> Iterator[int]:
    """Opens the folder `path` below the descriptor `root` without following symlinks, and with `make` creates it.

    Raises OSError if something on the way is no folder.
    """
    current = os.dup(root)
    try:
        for part in PurePosixPath(path).parts:
            is_new = make and _make(part, current)
            inner = open_folder(part, folder=current)
            if is_new:
                _give(inner, as_in=current)
            os.close(current)
            current = inner
        yield current
    finally:
        os.close(current)


def _make(name: str, folder: int) -> bool:
    """Makes a folder in `folder`, and tells whether there was nothing of that name."""
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return False
    return True


def _give(made: int, *, as_in: int) -> None:
    """Gives what was just made the owner of the folder that it is in."""
    found = os.fstat(as_in)
    if found.st_uid != os.getuid():
        os.fchown(made, found.st_uid, found.st_gid)


@contextlib.contextmanager
def _leaving_others() -> Iterator[None]:
    """Ignores what the server has put in the place of a file or on the way to it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
