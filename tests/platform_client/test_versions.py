"""Tests commands of one version with a platform of another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from platform_cli import __version__
from platform_cli.api.version import API_VERSION
from platform_cli.controlplane.store import MIGRATIONS, Store
from platform_cli.database import open_database
from platform_cli.errors import PlatformError
from platform_cli.home import Home
from platform_cli.platform_client import versions
from platform_cli.platform_client.client import PlatformClient
from platform_cli.platform_client.connections import Remote
from platform_cli.platform_client.other_version import connect

from ..e2e.probing import wait_for
from ..support import ROOT, CommandFailedError, Platform


def answers(monkeypatch: pytest.MonkeyPatch, version: str, api: int = API_VERSION) -> None:
    """Lets every platform answer with this version, whatever it is asked."""
    monkeypatch.setattr(PlatformClient, "_request", lambda *_: {"version": version, "api": api, "pid": 1})
    monkeypatch.setattr(PlatformClient, "stop", lambda _: pytest.fail("it was stopped"))


def elsewhere(tmp_path: Path) -> PlatformClient:
    return PlatformClient(Home(tmp_path), remote=Remote("https://mcp.example.com", "token"))


def test_an_older_command_leaves_a_newer_platform_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "999.0")
    with pytest.raises(PlatformError) as caught:
        PlatformClient(Home(tmp_path)).begin_start()
    assert "999.0" in caught.value.message
    assert __version__ in caught.value.message


def test_an_older_platform_may_be_replaced() -> None:
    versions.check_can_replace("0.0.1")


@pytest.mark.parametrize(
    ("version", "advice"), [("999.0", "pip install homeport==999.0"), ("0.0.1", "homeport platform restart")]
)
def test_a_platform_elsewhere_of_another_version_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, advice: str
) -> None:
    answers(monkeypatch, version)
    notes: list[str] = []
    connect(elsewhere(tmp_path), notes.append, changes=True)
    (note,) = notes
    assert all(part in note for part in ("https://mcp.example.com", version, __version__, advice))


def test_a_platform_elsewhere_of_the_same_version_is_nothing_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, __version__)
    notes: list[str] = []
    connect(elsewhere(tmp_path), notes.append, changes=True)
    assert notes == []


def test_a_platform_elsewhere_with_another_api_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "999.0", API_VERSION + 1)
    with pytest.raises(PlatformError, match="does not speak") as caught:
        elsewhere(tmp_path).begin_start()
    assert "pip install homeport==999.0" in (caught.value.hint or "")


def test_an_older_platform_here_with_another_api_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, "0.0.1", API_VERSION - 1)
    with pytest.raises(PlatformError, match="does not speak") as caught:
        PlatformClient(Home(tmp_path)).begin_start(replaces=False)
    assert "homeport platform start" in (caught.value.hint or "")


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Platform]:
    """Is a platform of an earlier version, which runs."""
    platform, code = Platform(tmp_path / "home"), tmp_path / "code"
    shutil.copytree(ROOT / "platform_cli", code / "platform_cli")
    version = code / "platform_cli" / "__init__.py"
    version.write_text(version.read_text().replace(f'"{__version__}"', '"0.0.9"'))
    process = subprocess.Popen(
        [sys.executable, "-m", "platform_cli.controlplane.master"],
        cwd="/",
        env={**platform.environment, "PYTHONPATH": str(code)},
    )
    try:
        wait_for(lambda: platform.run("platform", "status")["running"])
        yield platform
    finally:
        platform.stop()
        process.kill()
        process.wait()


def test_a_platform_of_an_earlier_version_is_replaced_by_what_changes_something_alone(older: Platform) -> None:
    before = older.run("platform", "status")
    assert (before["version"], before["command_version"]) == ("0.0.9", __version__)
    for look in (["list"], ["repos"], ["status", "none"], ["logs", "none"], ["platform", "clean", "--dry-run"]):
        done = older.start(*look).wait(older.timeout_s)
        assert f"the platform is homeport 0.0.9, this command is {__version__}" in done.stderr
        assert older.run("platform", "status")["pid"] == before["pid"]
    done = older.start("set-secret", "WORD", "one", "--project", "any").wait(older.timeout_s)
    assert (done.returncode, "started anew" in done.stderr) == (0, True), done.stderr
    after = older.run("platform", "status")
    assert (after["version"], after["pid"] != before["pid"]) == (__version__, True)
    assert not older.start("list").wait(older.timeout_s).stderr


def test_what_a_newer_version_keeps_is_left_alone(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    platform.home.mkdir(mode=0o700)
    store = platform.home / "store.db"
    Store(store).close()
    with closing(open_database(store)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = store.read_bytes()
    for command in (["list"], ["platform", "start"]):
        with pytest.raises(CommandFailedError) as caught:
            platform.run(*command)
        assert "a newer homeport" in caught.value.error["message"]
        assert "--upgrade homeport" in caught.value.error["hint"]
    assert store.read_bytes() == before
    assert not platform.run("platform", "status")["running"]


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_what_an_earlier_version_keeps_is_taken_over(tmp_path: Path, version: int) -> None:
    path = tmp_path / "store.db"
    with closing(open_database(path)) as database:
        for script in MIGRATIONS[:version]:
            database.executescript(script)
        database.execute(f"PRAGMA user_version = {version}")
        if version:
            database.execute("INSERT INTO projects VALUES ('kept', 8000, 'key', '/', 0, NULL)")
    with closing(Store(path)) as store:
        assert [row.name for row in store.projects()] == (["kept"] if version else [])
