"""Writes layers as tar archives that are the same bytes for the same files, whoever packs them, and when."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .blobs import Blobs
from .gzip_blocks import Gzip
from .model import LAYER_TYPE, Blob, ImageLayer

FOLDER = 0o755


@dataclass(frozen=True, slots=True)
class Entry:
    """Is a file with `content`, or the content of the file at that path; a symlink with `link`; a folder with neither.

    `mode` are its permissions; it belongs to the user `uid` and to group 0.
    """

    content: bytes | Path | None = None
    mode: int = 0o644
    uid: int = 0
    link: str = ""


def write_layer(blobs: Blobs, entries: Mapping[str, Entry], history: str) -> ImageLayer:
    """Writes a layer of `entries` (path in the image -> entry) into `blobs`, with the folders on the way to them."""
    everything = {**_folders(entries), **entries}
    with blobs.new() as blob, Gzip(blob.write) as packed:
        tar = _Hashing(packed)
        with tarfile.open(mode="w|", fileobj=tar, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            for name, entry in sorted(everything.items(), key=lambda item: item[0].split("/")):
                _add(archive, name, entry)
    return ImageLayer(Blob(blob.digest, blob.size, LAYER_TYPE), tar.digest, history)


def _folders(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Returns the folders above `entries`, but for those at the top, which are the base's."""
    found: dict[str, Entry] = {}
    for name in entries:
        folder = name.rpartition("/")[0]
        # Those above one that was found were found with it.
        while "/" in folder and folder not in found:
            found[folder] = Entry(mode=FOLDER)
            folder = folder.rpartition("/")[0]
    return found


def _add(archive: tarfile.TarFile, name: str, entry: Entry) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.uid = entry.mode, entry.uid
    if entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
    elif entry.content is None:
        info.type = tarfile.DIRTYPE
    elif isinstance(entry.content, bytes):
        info.size = len(entry.content)
        archive.addfile(info, io.BytesIO(entry.content))
        return
    else:
        with entry.content.open("rb") as file:
            info.size = file.seek(0, io.SEEK_END)
            file.seek(0)
            archive.addfile(info, file)
        return
    archive.addfile(info)


class _Hashing:
    def __init__(self, file: Gzip) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
