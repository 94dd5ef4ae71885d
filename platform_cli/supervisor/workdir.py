"""A project's working folder: it outlives releases, and the files of the release that serves are seen in it.

A file that a release put there follows the releases. A file that the server made or changed is the server's: it
stays as it is through deploys and rollbacks. What was put there is remembered by content hash, to tell the two apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..home import write_atomic


class WorkDir:
    def __init__(self, project_folder: Path) -> None:
        self.path = project_folder / "files"
        self._record = project_folder / "placed.json"

    def place(self, app: Path, files: Mapping[str, str], folders: Iterable[str] = ()) -> None:
        """Makes the release's files (path -> sha256, content under `app`) and folders visible, leaving the server's own
        alone. Folders stay: what is written into them is the server's.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in folders:
            # What the server put in its place or on the way there is the server's own.
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                (self.path / folder).mkdir(parents=True, exist_ok=True)
        placed = self._placed()
        kept: dict[str, str] = {}
        for name in sorted({*placed, *files}):
            target = self.path / name
            current = _digest(target)
            wanted = files.get(name)
            if current is not None and current != placed.get(name) and current != wanted:
                # The server's own, or changed by it: remember what we once put there, so that it stays its own.
                if name in placed:
                    kept[name] = placed[name]
                continue
            if wanted is None:
                target.unlink(missing_ok=True)
                continue
            if current != wanted:
                _copy(app / name, target)
            kept[name] = wanted
        write_atomic(self._record, json.dumps(kept, sort_keys=True).encode())

    def _placed(self) -> dict[str, str]:
        try:
            placed: dict[str, str] = json.loads(self._record.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return placed


def _digest(path: Path) -> str | None:
    """The sha256 of a file; None if there is none. Something else in its place counts as the server's own."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except (NotADirectoryError, IsADirectoryError):
        return "not a file"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(fd)
    temporary = Path(name)
    try:
        shutil.copyfile(source, temporary)
        # The server may want to change a file it brought: it is the owner's to write.
        temporary.chmod(source.stat().st_mode | 0o600)
        temporary.replace(target)
    except BaseException:
        temporary.unlink()
        raise
