"""Writes reproducible zip archives: the same content gives the same bytes, whenever and wherever it is packed."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# The earliest time that a zip archive can hold.
DATE = (1980, 1, 1, 0, 0, 0)
# Level 6 is 13 % smaller than 1; 9 takes twice as long for 0.6 % (measured with 18 MB of fastmcp).
LEVEL = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """Is a file of an archive: its content, the file that has it, or a function that returns it after all others are
    written.
    """

    content: bytes | Path | Callable[[], bytes]
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """Describes an archive; `size` is that of the file, `unzipped` that of its content, both in bytes."""

    path: Path
    sha256: str
    size: int
    unzipped: int


def write_archive(path: Path, entries: Mapping[str, Entry]) -> Archive:
    """Writes `entries` (path in the archive -> file) to `path` atomically."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with (
            os.fdopen(fd, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as zipped,
        ):
            for entry_name, entry in sorted(entries.items(), key=lambda item: (callable(item[1].content), item[0])):
                info = zipfile.ZipInfo(entry_name, DATE)
                info.create_system = 3  # Unix, so that the modes below apply
                info.external_attr = (0o100755 if entry.executable else 0o100644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                zipped.writestr(info, _read(entry.content))
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
    return read_archive(path)


def _read(content: bytes | Path | Callable[[], bytes]) -> bytes:
    if isinstance(content, bytes):
        return content
    return content.read_bytes() if isinstance(content, Path) else content()


def read_archive(path: Path) -> Archive:
    """Returns the description of the archive at `path`.

    Raises FileNotFoundError if it does not exist.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with zipfile.ZipFile(path) as zipped:
        unzipped = sum(info.file_size for info in zipped.infolist())
    return Archive(path, sha256, path.stat().st_size, unzipped)
