"""Tests archives that are uploaded, and those of commits: nothing of them lands outside of their folder."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from platform_cli.errors import HomeportError
from platform_cli.github.archives import _unpack
from platform_cli.platform_client import upload

from .values import objects

SHA = "0" * 40
PARTS = st.sampled_from(["..", ".", "a", "b", "", "files", "server.py", "/", "\\", "c" * 300]) | st.text(max_size=6)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
DESCRIPTION = objects(path=PATHS, folders=st.lists(PATHS, max_size=2), project=st.text(max_size=8)).map(
    lambda fields: {"path": ".", "name": "project", **fields}
)


def check_nothing_outside(around: Path) -> None:
    assert sorted(path.name for path in around.iterdir()) == ["beside", "inside"]
    assert (around / "beside").read_text() == "whole"


def places(around: Path) -> Path:
    (around / "beside").write_text("whole")
    (around / "inside").mkdir()
    return around / "inside"


def check_unpacked(
    data: io.BytesIO, spoilt: tuple[int, int] | None, unpack: Callable[[io.BytesIO, Path], object]
) -> None:
    """Unpacks an archive with one byte spoilt, its place and its value, if that is given."""
    archive = bytearray(data.getvalue())
    if spoilt is not None:
        archive[spoilt[0] % len(archive)] = spoilt[1]
    with tempfile.TemporaryDirectory() as folder:
        inside = places(Path(folder))
        with contextlib.suppress(HomeportError):
            unpack(io.BytesIO(archive), inside)
        check_nothing_outside(Path(folder))


@given(
    DESCRIPTION,
    st.lists(st.tuples(PATHS, st.integers(0, 2**32 - 1), st.binary(max_size=20)), max_size=4),
    st.tuples(st.integers(0, 5000), st.integers(0, 255)) | st.none(),
)
def test_uploads(
    description: dict[str, object], files: list[tuple[str, int, bytes]], spoilt: tuple[int, int] | None
) -> None:
    data = io.BytesIO()
    names: set[str] = set()
    with zipfile.ZipFile(data, "w") as writer:
        writer.writestr(upload.DESCRIPTION, json.dumps(description))
        for path, attributes, content in files:
            with contextlib.suppress(UnicodeEncodeError):
                entry = zipfile.ZipInfo(f"{upload.FILES}{path}")
                entry.external_attr = attributes
                if entry.filename not in names:
                    writer.writestr(entry, content)
                names.add(entry.filename)
    check_unpacked(data, spoilt, upload.unpack_project)


KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])


@given(
    st.lists(st.tuples(PATHS, KINDS, PATHS, st.binary(max_size=20)), max_size=5),
    st.tuples(st.integers(0, 5000), st.integers(0, 255)) | st.none(),
)
def test_commits(members: list[tuple[str, bytes, str, bytes]], spoilt: tuple[int, int] | None) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", pax_headers={"comment": SHA}) as tar:
        for path, kind, target, content in members:
            member = tarfile.TarInfo(f"top/{path}")
            member.type, member.linkname = kind, target
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            with contextlib.suppress(UnicodeError, ValueError):
                tar.addfile(member, io.BytesIO(content))
    check_unpacked(data, spoilt, lambda archive, inside: _unpack(archive, SHA, "", inside))
