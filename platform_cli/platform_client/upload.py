"""Packs a project into a zip archive, and unpacks it on a platform elsewhere, which treats the archive as hostile."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InputError, SourceError
from ..pipeline.source import MAX_BYTES, MAX_FILES

# The limit in bytes of an upload, compressed.
MAX_UPLOAD = 100 * 1000 * 1000
MAX_DESCRIPTION = 1_000_000
DESCRIPTION = "deployment.json"
FILES = "files/"
# The earliest time that an archive can hold, so that the same files make the same bytes.
TIME = (1980, 1, 1, 0, 0, 0)
CHUNK = 1 << 20
# The pattern of config/names.py; `$` would let a newline pass.
NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z"
EXECUTABLE = 0o755
PLAIN = 0o644


class Description(BaseModel):
    """Describes how to build the project in the archive.

    `path` is what was typed, within the folder: `.`, `server.py` or `server.py:obj`; `args` are the server's arguments.
    `name` is the folder's. `variables` are those of the command line, which win over the configuration's. `upgrade` are
    packages to resolve anew. `project` is the project whose secrets the variables may refer to, `stage` its stage.
    `target` is "container" if it is to run in one. `folders` are those without files.
    """

    model_config = ConfigDict(extra="forbid")

    path: str
    name: str = Field(pattern=NAME)
    args: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    upgrade: tuple[str, ...] | None = None
    project: str | None = Field(default=None, pattern=NAME)
    stage: str | None = Field(default=None, pattern=NAME)
    target: Literal["container"] | None = None
    folders: list[str] = Field(default=[], max_length=MAX_FILES)


def pack_project(folder: Path, files: Iterable[str], description: Description) -> IO[bytes]:
    """Returns an open temporary file with the archive, at its start.

    Raises SourceError if it is too large, or if a file cannot be read.
    """
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
            writer.writestr(_entry(DESCRIPTION, PLAIN), description.model_dump_json(exclude_none=True))
            for path in files:
                _add(writer, folder, path)
        size = archive.tell()
        if size > MAX_UPLOAD:
            raise SourceError(
                f"the project has {size / 1e6:.0f} MB compressed, more than {MAX_UPLOAD // 1_000_000} MB",
                hint="name in .homeportignore what the server does not need",
            )
        archive.seek(0)
    except BaseException:
        archive.close()
        raise
    return archive


def unpack_project(archive: IO[bytes], destination: Path) -> tuple[Description, Path]:
    """Returns the description, and the project's folder below `destination`, an empty folder.

    Raises InputError for anything but regular files below files/: for absolute paths and paths that lead out, links,
    devices and folders, duplicates, and more than MAX_FILES files or MAX_BYTES bytes, whether declared or found.
    """
    try:
        with zipfile.ZipFile(archive) as reader:
            entries = reader.infolist()
            _check(entries)
            description = _description(reader)
            folder = destination / description.name
            folder.mkdir()
            for entry in entries[1:]:
                _extract(reader, entry, folder / entry.filename.removeprefix(FILES))
            for path in description.folders:
                (folder / path).mkdir(parents=True, exist_ok=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
        raise InputError(f"the upload is not a sound archive: {error}") from error
    except ValueError as error:
        raise InputError(f"the upload is refused: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError("the upload is refused: it has a path twice") from error
    return description, folder


def _add(writer: zipfile.ZipFile, folder: Path, path: str) -> None:
    source = (folder / path).resolve()
    try:
        with source.open("rb") as file:
            mode = EXECUTABLE if os.fstat(file.fileno()).st_mode & stat.S_IXUSR else PLAIN
            with writer.open(_entry(FILES + path, mode), "w") as target:
                while chunk := file.read(CHUNK):
                    target.write(chunk)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", hint="run the command again") from error


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, TIME)
    entry.create_system = 3
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry


def _check(entries: list[zipfile.ZipInfo]) -> None:
    """Checks all that the archive declares, before anything is written.

    Raises ValueError with what is wrong.
    """
    if not entries or entries[0].filename != DESCRIPTION or entries[0].file_size > MAX_DESCRIPTION:
        raise ValueError(f"it does not begin with {DESCRIPTION}")
    if len(entries) - 1 > MAX_FILES:
        raise ValueError(f"it has more than {MAX_FILES:,} files")
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES // 1_000_000} MB")
    seen = set()
    for entry in entries[1:]:
        name = entry.filename
        if entry.orig_filename != name or not name.startswith(FILES) or not _is_inside(name.removeprefix(FILES)):
            raise ValueError(f"{name!r} is not a path within the project")
        if not stat.S_ISREG(entry.external_attr >> 16):
            raise ValueError(f"{name!r} is not a regular file")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name!r} is compressed in an unusual way")
        if name in seen:
            raise ValueError(f"it has {name!r} twice")
        seen.add(name)


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts and str(pure) == path


def _description(reader: zipfile.ZipFile) -> Description:
    try:
        description = Description.model_validate(json.loads(reader.read(DESCRIPTION)))
    except ValidationError as error:
        # The error's own text has the values, which may be secrets.
        places = ", ".join(".".join(map(str, detail["loc"])) for detail in error.errors())
        raise ValueError(f"{DESCRIPTION} is wrong in {places}") from None
    path = description.path.partition(":")[0]
    if path != "." and not _is_inside(path):
        raise ValueError("its path leads out of the project")
    if not all(map(_is_inside, description.folders)):
        raise ValueError("one of its folders leads out of the project")
    return description


def _extract(reader: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with reader.open(entry) as source, target.open("xb") as output:
        # zipfile stops at the declared size, and compares the checksum of the bytes up to there.
        while chunk := source.read(CHUNK):
            output.write(chunk)
        if output.tell() != entry.file_size:
            raise ValueError(f"{entry.filename!r} has another size than declared")
    target.chmod(EXECUTABLE if (entry.external_attr >> 16) & stat.S_IXUSR else PLAIN)
