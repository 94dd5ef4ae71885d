"""Compares what `homeport doctor` says of a server's reach with what the confinement does."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport_runtime.hosts.cgroup_places import Place
from homeport_runtime.hosts.cgroups import Groups
from platform_cli.api.platform import Isolate
from platform_cli.doctor import reach
from platform_cli.doctor.reach import reach_here
from platform_cli.findings.confinement import find_unconfined
from platform_cli.home import Home
from platform_cli.isolation import choose_isolation
from tests.api.statuses import STATUS


@pytest.mark.parametrize("confined", [True, False])
def test_what_is_reached_depends_on_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confined: bool) -> None:
    monkeypatch.setattr(reach, "means", lambda _home: "namespaces" if confined else None)
    reached = {each.what: each.reached for each in reach_here(tmp_path)}
    assert reached["other projects: files, secrets, bundles"] == ("no" if confined else "yes")
    assert reached["other files of this user"] == "yes"


@pytest.mark.parametrize("user", [0, 1000])
def test_root_is_told_what_does_not_bind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(reach, "means", lambda _home: "namespaces")
    monkeypatch.setattr("os.getuid", lambda: user)
    monkeypatch.setattr(Groups, "find", lambda home, _pid: Groups(home))
    reached = {each.what: each.reached for each in reach_here(tmp_path)}
    assert reached["processes without end"] == ("no" if user else "yes")
    assert ("raw packets, ports below 1024" in reached) == (user == 0)


def test_a_server_with_a_user_of_its_own_reaches_no_file_of_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "means", lambda _home: "namespaces")
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setattr(Groups, "find", lambda home, _pid: Groups(home))
    cases: dict[Isolate, str] = {"namespaces": "yes", "users": "no"}
    for isolate, expected in cases.items():
        choose_isolation(Home(tmp_path), isolate)
        reached = {each.what: each.reached for each in reach_here(tmp_path)}
        for what in ("other files of this user", "temporary files of other programs", "processes without end"):
            assert reached[what] == expected, what


@pytest.mark.parametrize("controllers", [{"memory", "pids", "cpu"}, set()])
def test_what_servers_take_from_others_depends_on_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, controllers: set[str]
) -> None:
    places = (Place(tmp_path, frozenset(controllers), is_unified=True),)
    monkeypatch.setattr(Groups, "find", lambda home, _pid: Groups(home, places))
    monkeypatch.setattr(reach, "means", lambda _home: "landlock")
    reached = {each.what: each.reached for each in reach_here(tmp_path)}
    assert reached["memory beyond `memory_mb`"] == ("no" if controllers else "yes")
    assert reached["processes without end"] == ("no" if controllers else "yes")
    assert reached["the processor while others need it"] == ("its share" if controllers else "yes")


def test_a_deploy_says_that_nothing_confines() -> None:
    (found,) = find_unconfined({**STATUS, "confined": False})
    assert "doctor" in str(found)
    assert not list(find_unconfined({**STATUS, "confined": True}))
    assert not list(find_unconfined({**STATUS, "target": "lambda", "confined": None}))
