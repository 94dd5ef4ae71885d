"""Keeps the blobs of images in a folder, each in a file that is named by its digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class Blobs:
    """Is the folder; what is in it can be made or fetched again."""

    folder: Path

    def path(self, digest: str) -> Path:
        """Returns where the blob of `digest` is, or would be."""
        return self.folder / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    @contextmanager
    def new(self) -> Iterator[NewBlob]:
        """Yields a blob to write, which gets its name in the end, and leaves nothing after an error."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                blob = NewBlob(file)
                yield blob
            Path(name).replace(self.path(blob.digest))
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def add(self, chunks: Iterable[bytes]) -> str:
        """Writes a blob, and returns its digest."""
        with self.new() as blob:
            for chunk in chunks:
                blob.write(chunk)
        return blob.digest


class NewBlob:
    """Is a file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
