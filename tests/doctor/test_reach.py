"""Compares what `homeport doctor` says of a server's reach with what the confinement does."""

from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.doctor import reach
from platform_cli.doctor.reach import reach_here
from platform_cli.findings.confinement import find_unconfined
from tests.api.statuses import STATUS


@pytest.mark.parametrize("confined", [True, False])
def test_what_is_reached_depends_on_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confined: bool) -> None:
    monkeypatch.setattr(reach, "can_hide", lambda _home: confined)
    reached = {each.what: each.reached for each in reach_here(tmp_path)}
    assert reached["other projects: files, secrets, bundles"] == ("no" if confined else "yes")
    assert reached["other files of this user"] == "yes"


@pytest.mark.parametrize("user", [0, 1000])
def test_root_is_told_what_does_not_bind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(reach, "can_hide", lambda _home: True)
    monkeypatch.setattr("os.getuid", lambda: user)
    reached = {each.what: each.reached for each in reach_here(tmp_path)}
    assert reached["processes without end"] == ("no" if user else "yes")
    assert ("raw packets, ports below 1024" in reached) == (user == 0)


def test_a_deploy_says_that_nothing_confines() -> None:
    (found,) = find_unconfined({**STATUS, "confined": False})
    assert "doctor" in str(found)
    assert not list(find_unconfined({**STATUS, "confined": True}))
    assert not list(find_unconfined({**STATUS, "target": "lambda", "confined": None}))
