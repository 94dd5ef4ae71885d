"""Tests the folder with all state."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platform_cli.controlplane import serving
from platform_cli.errors import InputError
from platform_cli.home import Home, check_socket_folder, open_home
from platform_cli.pipeline.source import collect_source
from platform_cli.platform_client.client import PlatformClient

from .support import require


def test_a_home_is_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path / "a" / "b"))
    home = open_home()
    assert home.root == tmp_path / "a" / "b"
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_a_home_inside_a_project_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path / "state"))
    (tmp_path / "server.py").write_text("mcp = 1")
    home = open_home()
    home.store.write_text("secrets")
    home.projects.mkdir()
    (home.projects / "data.json").write_text("{}")
    assert [file.path for file in collect_source(tmp_path, "server.py").files] == ["server.py"]
    assert collect_source(tmp_path, "server.py").folders == (), "not even as an empty folder"
    # A second look changes nothing.
    assert open_home() == home


def test_a_home_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(InputError, match="cannot be made") as caught:
        open_home()
    assert "HOMEPORT_HOME" in (caught.value.hint or "")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Returns a home with so long a path that its socket is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="run-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        home = Home(tmp_path / ("long" * 30))
        assert home.socket.parent.parent == Path(runtime)
        yield home


def loose(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def others(folder: Path) -> None:
    require(os.getuid() == 0, "root, to make a folder of another user")
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)


def link(folder: Path) -> None:
    (target := folder.with_name("elsewhere")).mkdir(mode=0o700)
    folder.symlink_to(target)


@pytest.mark.parametrize("make", [loose, others, link])
def test_a_socket_folder_that_another_user_made(home: Home, make: Callable[[Path], None]) -> None:
    check_socket_folder(home)
    make(home.socket.parent)
    with pytest.raises(InputError, match="is not this user's alone"):
        PlatformClient(home).is_running()
    with pytest.raises(InputError, match="is not this user's alone"):
        serving._listen(home)


def test_a_socket_folder_of_this_user(home: Home) -> None:
    serving._listen(home).close()
    check_socket_folder(home)
