"""Tests that what lies where a server could write is hostile to the platform that reads it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platform_cli.errors import ReleaseError
from platform_cli.supervisor.logbook import LogBook
from platform_cli.supervisor.workdir import WorkDir

from ..e2e.probing import call
from ..support import SERVERS, CommandFailedError, Platform, with_packages


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("hostile") / "home"))
    # The keyring of whoever runs the tests is left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    yield platform
    platform.stop()


@pytest.fixture
def evil(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    """Writes a project's folder, which is deployed as `evil`."""
    folder = Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "evil"))
    change(folder)
    platform.deploy(folder, name="evil")
    yield folder
    platform.run("destroy", "evil")


def change(folder: Path) -> None:
    with (folder / "server.py").open("a") as file:
        file.write(f"# {os.urandom(4).hex()}\n")


@pytest.mark.parametrize("way", ["restart", "rollback"])
def test_a_manifest_that_names_another_program(platform: Platform, evil: Path, tmp_path: Path, way: str) -> None:
    victim = platform.deploy(SERVERS / "mcp2_lowlevel", name="victim").url
    bundle = platform.home / "bundles" / platform.run("status", "evil")["bundle"]
    manifest = json.loads((bundle / "manifest.json").read_text())
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec {manifest["interpreter"]["path"]} "$@"\n')
    program.chmod(0o755)
    manifest["interpreter"]["path"] = str(program)
    (bundle / "manifest.json").write_text(json.dumps(manifest))

    if way == "restart":
        platform.stop()
        platform.run("platform", "start")
        assert "has been changed" in platform.run("status", "evil")["last_error"]
    else:
        change(evil)
        platform.deploy(evil, name="evil")
        with pytest.raises(CommandFailedError, match="has been changed"):
            platform.run("rollback", "evil")
    assert call(victim, "add", a=1, b=2) == "3"
    assert call(platform.deploy(evil, name="evil").url, "add", a=1, b=2) == "3", "it is built again"
    assert platform.run("status", "evil")["last_error"] is None
    assert not (tmp_path / "ran").exists()


def test_code_that_another_project_with_the_same_files_changed(platform: Platform, evil: Path) -> None:
    bundle = platform.home / "bundles" / platform.run("status", "evil")["bundle"]
    with (bundle / "app" / "server.py").open("a") as file:
        file.write("raise SystemExit('changed')\n")
    assert call(platform.deploy(evil, name="victim").url, "add", a=1, b=2) == "3"


SECRET = "of a neighbour"


@pytest.fixture
def neighbour(tmp_path: Path) -> Path:
    """Makes a folder that the server does not see, with a file whose content it knows."""
    folder = tmp_path / "neighbour"
    folder.mkdir()
    (folder / "notes.txt").write_text(SECRET)
    return folder


@pytest.fixture
def workdir(tmp_path: Path) -> WorkDir:
    """Returns the working folder of a project whose first release had data/notes.txt."""
    folder = WorkDir(tmp_path / "projects" / "evil")
    folder.place(*release_with_notes(tmp_path / "one", "one"))
    return folder


def release_with_notes(app: Path, text: str) -> tuple[Path, dict[str, str]]:
    (app / "data").mkdir(parents=True)
    (app / "data" / "notes.txt").write_text(text)
    return app, {"data/notes.txt": sha256(text)}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_folder_that_became_a_link_to_a_neighbours(tmp_path: Path, workdir: WorkDir, neighbour: Path) -> None:
    shutil.rmtree(workdir.path / "data")
    (workdir.path / "data").symlink_to(neighbour)
    record = workdir.path.parent / "placed.json"
    record.write_text(json.dumps({"data/notes.txt": sha256(SECRET)}))
    workdir.place(*release_with_notes(tmp_path / "two", "two"), ("data/made", "data/made/deep"))
    assert [(path.name, path.read_text()) for path in neighbour.iterdir()] == [("notes.txt", SECRET)]
    record.write_text(json.dumps({"data/notes.txt": sha256(SECRET)}))
    workdir.place(tmp_path / "two", {})
    assert (neighbour / "notes.txt").exists()


def test_a_file_that_became_a_link_to_a_neighbours(tmp_path: Path, workdir: WorkDir, neighbour: Path) -> None:
    file = workdir.path / "data" / "notes.txt"
    file.unlink()
    file.symlink_to(neighbour / "notes.txt")
    (workdir.path.parent / "placed.json").write_text(json.dumps({"data/notes.txt": sha256(SECRET)}))
    workdir.place(*release_with_notes(tmp_path / "two", "two"))
    assert (neighbour / "notes.txt").read_text() == SECRET
    assert file.is_symlink(), "it is the server's own"


@pytest.mark.parametrize("absolute", [True, False])
def test_a_record_that_names_a_neighbours_file(
    tmp_path: Path, workdir: WorkDir, neighbour: Path, absolute: bool
) -> None:
    name = str(neighbour / "notes.txt") if absolute else "../../../neighbour/notes.txt"
    (workdir.path.parent / "placed.json").write_text(json.dumps({name: sha256(SECRET)}))
    workdir.place(*release_with_notes(tmp_path / "two", "two"))
    assert (neighbour / "notes.txt").read_text() == SECRET


def test_pipes_where_files_were(tmp_path: Path, workdir: WorkDir) -> None:
    file, record = workdir.path / "data" / "notes.txt", workdir.path.parent / "placed.json"
    for path in (file, record):
        path.unlink()
        os.mkfifo(path)
    workdir.place(*release_with_notes(tmp_path / "two", "two"))
    assert file.is_fifo(), "it is the server's own"
    assert record.is_file()


def test_a_working_folder_that_became_a_link(tmp_path: Path, workdir: WorkDir, neighbour: Path) -> None:
    shutil.rmtree(workdir.path)
    workdir.path.symlink_to(neighbour)
    with pytest.raises(ReleaseError):
        workdir.place(*release_with_notes(tmp_path / "two", "two"))
    assert [path.name for path in neighbour.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path.parent.parent / "store.db")])
def test_log_files_that_are_none(tmp_path: Path, make: Callable[[Path], object]) -> None:
    store = tmp_path / "store.db"
    store.write_text("of the platform")
    for number in range(2, 12):
        (tmp_path / "logs").mkdir(exist_ok=True)
        make(tmp_path / "logs" / f"{number:08}.jsonl")
    (tmp_path / "logs" / "\N{SUPERSCRIPT TWO}.jsonl").touch()

    async def write_and_read() -> list[str]:
        log = LogBook(tmp_path / "logs", "evil")
        log.write("info", "a line", release=1)
        await asyncio.sleep(0)
        read = [record["message"] async for record in log.read(follow=False)]
        log.close()
        return read

    assert asyncio.run(write_and_read()) == ["a line"]
    assert store.read_text() == "of the platform"


def test_a_log_folder_that_became_a_link(tmp_path: Path, neighbour: Path) -> None:
    (tmp_path / "logs").symlink_to(neighbour)

    async def write() -> None:
        log = LogBook(tmp_path / "logs", "evil")
        log.write("info", "a line", release=1)
        await asyncio.sleep(0)
        log.close()

    asyncio.run(write())
    assert [path.name for path in neighbour.iterdir()] == ["notes.txt"]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["00000001.jsonl"]
