"""Tests a project's working folder: the release's files follow the releases, the server's own stay."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import IO

import pytest

from platform_cli.supervisor.workdir import WorkDir

from ..support import require


def release(folder: Path, **files: str) -> tuple[Path, dict[str, str]]:
    folder.mkdir()
    digests = {}
    for key, text in files.items():
        path = folder / f"{key}.txt"
        path.write_text(text)
        digests[path.name] = hashlib.sha256(text.encode()).hexdigest()
    return folder, digests


def contents(folder: WorkDir) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(folder.path.iterdir())}


def test_files_follow_the_releases(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    one, two = release(tmp_path / "1", a="one", b="one"), release(tmp_path / "2", a="two", c="two")
    folder.place(*one)
    folder.place(*two)
    assert contents(folder) == {"a": "two", "c": "two"}
    folder.place(*one)
    assert contents(folder) == {"a": "one", "b": "one"}


def test_what_the_server_wrote_or_changed_stays(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    one, two = release(tmp_path / "1", a="one", b="one"), release(tmp_path / "2", a="two", mine="bundled")
    folder.place(*one)
    (folder.path / "a.txt").write_text("changed")
    (folder.path / "b.txt").write_text("changed")
    (folder.path / "mine.txt").write_text("made")
    for each in (two, one, two):
        folder.place(*each)
        assert contents(folder) == {"a": "changed", "b": "changed", "mine": "made"}


def test_a_deleted_file_comes_back(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    one = release(tmp_path / "1", a="one")
    folder.place(*one)
    (folder.path / "a.txt").unlink()
    folder.place(*one)
    assert contents(folder) == {"a": "one"}


def test_a_folder_in_the_place_of_a_file_stays(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    (folder.path / "a.txt").mkdir(parents=True)
    folder.place(*release(tmp_path / "1", a="one"))
    assert (folder.path / "a.txt").is_dir()


def test_the_server_may_write_to_its_files(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    app, files = release(tmp_path / "1", a="one")
    (app / "a.txt").chmod(0o444)
    folder.place(app, files)
    assert (folder.path / "a.txt").stat().st_mode & 0o600 == 0o600


def test_a_copy_that_fails_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = WorkDir(tmp_path / "project")
    folder.place(*release(tmp_path / "1", a="one"))

    def full(_source: IO[bytes], target: IO[bytes]) -> None:
        target.write(b"ha")
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        folder.place(*release(tmp_path / "2", a="two"))
    assert contents(folder) == {"a": "one"}


def test_folders_are_there_and_stay_with_what_is_in_them(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    folder.place(*release(tmp_path / "one"), ("logs", "data/deep"))
    (folder.path / "logs/server.log").write_text("a line")
    folder.place(*release(tmp_path / "two"), ("logs",))
    folder.place(*release(tmp_path / "three"))
    assert (folder.path / "logs/server.log").read_text() == "a line"
    assert (folder.path / "data/deep").is_dir()


def test_what_the_server_made_instead_of_a_folder_is_its_own(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    folder.place(*release(tmp_path / "one"))
    (folder.path / "logs").write_text("a file")
    folder.place(*release(tmp_path / "two"), ("logs", "logs/deep"))
    assert (folder.path / "logs").read_text() == "a file"


@pytest.mark.parametrize("record", ['["a"]', '{"a.txt": 1}', "[" * 100_000, "not JSON", '{"/etc/hostname": "1"}'])
def test_a_record_that_makes_no_sense_is_none(tmp_path: Path, record: str) -> None:
    folder = WorkDir(tmp_path / "project")
    app, files = release(tmp_path / "one", a="one")
    folder.place(app, files)
    (tmp_path / "project" / "placed.json").write_text(record)
    folder.place(*release(tmp_path / "two", b="two"))
    assert contents(folder) == {"a": "one", "b": "two"}


def test_a_file_of_more_than_releases_have_is_not_read(tmp_path: Path) -> None:
    folder = WorkDir(tmp_path / "project")
    folder.place(*release(tmp_path / "one", a="one"))
    os.truncate(folder.path / "a.txt", 1 << 40)
    folder.place(*release(tmp_path / "two", a="two"))
    assert (folder.path / "a.txt").stat().st_size == 1 << 40


def test_what_is_placed_belongs_to_whom_the_folder_belongs(tmp_path: Path) -> None:
    require(os.getuid() == 0, "root, to give files to another user")
    folder = WorkDir(tmp_path / "project")
    app, files = release(tmp_path / "1", a="one")
    folder.place(app, {})
    os.chown(folder.path, 70000, 70001)
    (app / "inner").mkdir()
    (app / "inner" / "b.txt").write_text("two")
    folder.place(app, {**files, "inner/b.txt": hashlib.sha256(b"two").hexdigest()}, ["empty"])
    made = [path.lstat() for path in folder.path.rglob("*")]
    assert len(made) == 4
    assert {(found.st_uid, found.st_gid) for found in made} == {(70000, 70001)}
