"""Tests that what a kill interrupted when a project was made or destroyed is brought to an end when the platform starts
again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.controlplane.access_modes import Mode
from platform_cli.controlplane.removal import Removal
from platform_cli.controlplane.store import ReleaseRow, Store
from platform_cli.controlplane.stores import Stores, open_stores
from platform_cli.home import Home

from ..support import SERVERS, Platform, with_packages


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    (tmp_path / "home").mkdir()
    opened = open_stores(Home(tmp_path / "home"))
    yield opened
    opened.close()


def project(stores: Stores, name: str, port: int, *, active: bool = True) -> Path:
    stores.store.create_project(name, port, "key", "/folder")
    if active:
        stores.store.add_release(ReleaseRow(name, 1, "bundle", 0.0, None))
    stores.secrets.set(name, {"PASSWORD": "hunter2hunter2"})
    stores.access.put(name, Mode("hash"))
    stores.console_tokens.take(name, "me")
    files = stores.home.project(name) / "files"
    files.mkdir(parents=True)
    (files / "data.txt").write_text("OLD DATA")
    return files


def test_a_destroy_that_was_killed_is_carried_on(stores: Stores) -> None:
    files, other = project(stores, "gone", 8701), project(stores, "other", 8702)
    removal = Removal(stores, lambda _project: None)
    removal.bury("gone")
    assert not files.exists(), "a project of that name would not find them"
    removal.carry_on()
    assert [row.name for row in stores.store.projects()] == ["other"]
    assert stores.secrets.current("gone") == {}
    assert stores.access.mode("gone").token_hash is None
    assert [len(stores.console_tokens.of(name)) for name in ("gone", "other")] == [0, 1]
    assert [path.name for path in stores.home.projects.iterdir()] == ["other"]
    assert (other / "data.txt").read_text() == "OLD DATA"


def test_a_first_deploy_that_was_killed_is_undone(stores: Stores) -> None:
    files = project(stores, "begun", 8701, active=False)
    Removal(stores, lambda _project: None).carry_on()
    assert stores.store.projects() == []
    assert not files.exists()
    assert stores.secrets.current("begun") == {"PASSWORD": 1}, "they may have been set beforehand"


def test_a_name_whose_destroy_was_killed_is_free(tmp_path: Path) -> None:
    platform = Platform(with_packages(tmp_path / "home"))
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    folder = Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "project"))
    platform.deploy(folder, name="again")
    projects = platform.home / "projects"
    (projects / "again" / "files" / "data.txt").write_text("OLD DATA")
    platform.stop()
    (projects / "again").rename(projects / ".destroyed.again")
    store = Store(platform.home / "store.db")
    store.create_project("begun", 9001, "key", "/folder")
    store.close()
    platform.run("platform", "start")
    try:
        assert platform.run("list")["projects"] == []
        platform.deploy(folder, name="again")
        assert not (projects / "again" / "files" / "data.txt").exists()
        assert [version["release"] for version in platform.run("versions", "again")["versions"]] == ["v1"]
    finally:
        platform.stop()
