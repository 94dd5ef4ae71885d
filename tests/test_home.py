"""The folder with all state."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from platform_cli.build.source import collect_source
from platform_cli.errors import InputError
from platform_cli.home import open_home


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
