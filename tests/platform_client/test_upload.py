from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from platform_cli.errors import InputError, SourceError
from platform_cli.platform_client import upload
from platform_cli.platform_client.upload import DESCRIPTION, Description, pack_project, unpack_project

SECRET = "hunter2"
DESCRIBED = Description(path="server.py", name="app", variables={"KEY": SECRET})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "server.py").write_text("mcp = 1\n")
    (root / "pkg" / "data.bin").write_bytes(bytes(range(256)) * 10)
    run = root / "run.sh"
    run.write_text("#!/bin/sh\n")
    run.chmod(0o755)
    return root


@pytest.fixture
def into(tmp_path: Path) -> Path:
    target = tmp_path / "unpacked"
    target.mkdir()
    return target


FILES = ["pkg/data.bin", "run.sh", "server.py"]


def test_what_goes_in_comes_out(folder: Path, into: Path) -> None:
    with pack_project(folder, FILES, DESCRIBED) as archive:
        description, unpacked = unpack_project(archive, into)
    assert description == DESCRIBED
    assert unpacked == into / "app"
    assert {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()} == set(FILES)
    for name in FILES:
        assert (unpacked / name).read_bytes() == (folder / name).read_bytes()
    assert [stat.S_IMODE((unpacked / name).stat().st_mode) for name in FILES] == [0o644, 0o755, 0o644]


def test_the_same_files_are_the_same_bytes(folder: Path) -> None:
    with pack_project(folder, FILES, DESCRIBED) as one:
        first = one.read()
    for name in FILES:
        (folder / name).touch()
    with pack_project(folder, FILES, DESCRIBED) as two:
        assert two.read() == first


def test_a_link_goes_as_what_it_leads_to(folder: Path, into: Path) -> None:
    (folder / "link.py").symlink_to("server.py")
    with pack_project(folder, ["link.py"], DESCRIBED) as archive:
        _, unpacked = unpack_project(archive, into)
    assert not (unpacked / "link.py").is_symlink()
    assert (unpacked / "link.py").read_text() == "mcp = 1\n"


def test_too_large_to_send(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MAX_UPLOAD", 100)
    with pytest.raises(SourceError) as caught:
        pack_project(folder, FILES, DESCRIBED)
    assert ".homeportignore" in (caught.value.hint or "")


REGULAR = stat.S_IFREG | 0o644


def archive_of(*entries: tuple[str, bytes, int], description: object = None) -> io.BytesIO:
    made = io.BytesIO()
    described = DESCRIBED.model_dump() if description is None else description
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content, mode in ((DESCRIPTION, json.dumps(described).encode(), REGULAR), *entries):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            writer.writestr(entry, content)
    made.seek(0)
    return made


HOSTILE = [
    "/etc/passwd", "../out", "files/../../out", "files//etc/passwd", "files/a/../../out", "files/./a", "files/a//b",
    "files/", "files/..", "elsewhere/a", "files", "deployment.json", "files/a/",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_paths_stay_within(into: Path, name: str) -> None:
    refused(archive_of((name, b"x", REGULAR)), into)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFDIR, 0])
def test_regular_files_alone(into: Path, kind: int) -> None:
    refused(archive_of(("files/a", b"/etc/passwd", kind | 0o777)), into)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_path_comes_once(into: Path) -> None:
    refused(archive_of(("files/a", b"1", REGULAR), ("files/a", b"2", REGULAR)), into)


@pytest.mark.parametrize("names", [("files/a", "files/a/b"), ("files/a/b", "files/a")])
def test_a_file_is_no_folder(into: Path, names: tuple[str, str]) -> None:
    with pytest.raises(InputError):
        unpack_project(archive_of(*((name, b"x", REGULAR) for name in names)), into)


def test_limits_are_for_what_is_declared(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(f"files/{number}", b"x" * 1000, REGULAR) for number in range(3)]
    monkeypatch.setattr(upload, "MAX_FILES", 2)
    refused(archive_of(*entries), into)
    monkeypatch.setattr(upload, "MAX_FILES", 3)
    monkeypatch.setattr(upload, "MAX_BYTES", 2000)
    refused(archive_of(*entries), into)


def test_more_than_declared_is_refused(into: Path) -> None:
    content = b"x" * 100_000
    data = bytearray(archive_of(("files/a", content, REGULAR)).getvalue())
    real, lie = len(content).to_bytes(4, "little"), (10).to_bytes(4, "little")
    assert data.count(real) == 2  # the local header and the directory
    with pytest.raises(InputError):
        unpack_project(io.BytesIO(bytes(data).replace(real, lie)), into)
    written = [path.stat().st_size for path in into.rglob("*") if path.is_file()]
    assert sum(written) <= 10


@pytest.mark.parametrize("cut", [0, 1, 50, -1, -30])
def test_no_sound_archive(folder: Path, into: Path, cut: int) -> None:
    with pack_project(folder, FILES, DESCRIBED) as archive:
        content = archive.read()
    with pytest.raises(InputError):
        unpack_project(io.BytesIO(content[:cut]), into)


def test_damaged_content(folder: Path, into: Path) -> None:
    with pack_project(folder, FILES, DESCRIBED) as archive:
        content = bytearray(archive.read())
    at = content.index(b"files/pkg/data.bin") + 100
    content[at : at + 20] = bytes(20)
    with pytest.raises(InputError):
        unpack_project(io.BytesIO(content), into)


def test_encrypted(into: Path) -> None:
    data = bytearray(archive_of(("files/a", b"x", REGULAR)).getvalue())
    at = data.rindex(b"PK\x01\x02") + 8
    data[at] |= 1
    with pytest.raises(InputError):
        unpack_project(io.BytesIO(data), into)


@pytest.mark.parametrize(
    "description",
    [
        {},
        [],
        {**DESCRIBED.model_dump(), "extra": SECRET},
        {**DESCRIBED.model_dump(), "name": "../x"},
        {**DESCRIBED.model_dump(), "name": ""},
        {**DESCRIBED.model_dump(), "name": "app\n"},
        {**DESCRIBED.model_dump(), "project": "../other"},
        {**DESCRIBED.model_dump(), "path": "../server.py"},
        {**DESCRIBED.model_dump(), "path": "/etc/x.py:mcp"},
        {**DESCRIBED.model_dump(), "variables": {"KEY": [SECRET]}},
    ],
)
def test_wrong_descriptions_do_not_show_values(into: Path, description: object) -> None:
    with pytest.raises(InputError) as caught:
        unpack_project(archive_of(("files/server.py", b"", REGULAR), description=description), into)
    assert SECRET not in str(caught.value)


def refused(archive: io.BytesIO, into: Path) -> None:
    """Asserts that an archive is refused before anything is written."""
    with pytest.raises(InputError):
        unpack_project(archive, into)
    assert not any(path.is_file() for path in into.rglob("*"))
    assert [path.name for path in into.parent.iterdir()] == [into.name]


def test_folders_without_files_come_out(folder: Path, into: Path) -> None:
    with pack_project(folder, FILES, DESCRIBED.model_copy(update={"folders": ["logs", "pkg/deep/er"]})) as archive:
        _, unpacked = unpack_project(archive, into)
    assert (unpacked / "logs").is_dir()
    assert (unpacked / "pkg/deep/er").is_dir()


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", "", "server.py/x"])
def test_folders_that_lead_out_are_refused(folder: Path, into: Path, path: str) -> None:
    with (
        pack_project(folder, FILES, DESCRIBED.model_copy(update={"folders": [path]})) as archive,
        pytest.raises(InputError, match="refused"),
    ):
        unpack_project(archive, into)
    assert not (into.parent / "out").exists()
