from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from homeport_runtime.hosts.users import PROJECTS
from platform_cli.controlplane import users
from platform_cli.controlplane.settings import Settings
from platform_cli.controlplane.users import Users
from platform_cli.errors import PlatformError


def open_users(home: Path) -> Users:
    db = sqlite3.connect(":memory:", isolation_level=None)
    return Users(db, Settings(db), home)


def test_a_project_keeps_its_user_and_no_other_gets_it(tmp_path: Path) -> None:
    kept = open_users(tmp_path)
    first, second = kept.of("first"), kept.of("second")
    assert first != second
    assert {first, second} <= set(PROJECTS)
    assert kept.of("first") == first
    assert kept.find("third") is None


def test_the_user_of_a_project_that_is_gone_is_nobodys_next(tmp_path: Path) -> None:
    kept = open_users(tmp_path)
    gone = kept.of("gone")
    kept.forget("gone")
    assert gone not in {kept.of("gone"), kept.of("next"), kept.next()}


def test_ids_begin_again_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "PROJECTS", range(70000, 70003))
    kept = open_users(tmp_path)
    for name in "abc":
        kept.of(name)
    with pytest.raises(PlatformError, match="is taken"):
        kept.of("d")
    kept.forget("b")
    assert kept.of("d") in range(70000, 70003)


def test_two_homes_begin_somewhere_else(tmp_path: Path) -> None:
    assert open_users(tmp_path / "one").of("a") != open_users(tmp_path / "two").of("a")
