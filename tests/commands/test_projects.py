from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.commands.projects import list_text
from tests.api.statuses import STATUS
from tests.commands.conftest import PROJECT, Run, error_of
from tests.support import SERVERS, Deployment, Platform, with_config

HOSTILE = ["nobody", "", "..", "a/b", "A", "a b", "x\ny", "a?b=c", "x" * 64]


def test_list(run: Run, tiny: Deployment) -> None:
    answer = run("list", "--json").json
    assert answer["ok"] is True
    assert PROJECT in [project["project"] for project in answer["projects"]]
    header, *rows = run("list").stdout.splitlines()
    assert header.split() == ["project", "release", "state", "workers", "url"]
    assert [row.split()[-1] for row in rows if row.startswith(f"{PROJECT} ")] == [tiny.url]


def test_open_errors_have_a_column_where_there_are_any() -> None:
    header, tiny, cloud = list_text([{**STATUS, "open_errors": 2}, {**STATUS, "open_errors": None}]).splitlines()
    assert header.split() == ["project", "release", "state", "workers", "open", "errors", "url"]
    assert (tiny.split()[4], cloud.split()[4]) == ("2", "-")
    assert "open errors" not in list_text([STATUS])


def test_no_projects_yet(run: Run, tmp_path: Path) -> None:
    home = {"HOMEPORT_HOME": str(tmp_path / "empty")}
    try:
        assert run("list", env=home).stdout == "no projects yet\n"
        assert run("list", "--json", env=home).json == {"ok": True, "projects": []}
    finally:
        run("platform", "stop", env=home)


def test_status(run: Run, tiny: Deployment) -> None:
    answer = run("status", PROJECT, "--json").json
    assert {key: answer[key] for key in ("ok", "project", "release", "target", "url", "mcp_url", "last_error")} == {
        "ok": True,
        "project": PROJECT,
        "release": tiny.release,
        "target": "local",
        "url": tiny.url,
        "mcp_url": tiny.mcp_url,
        "last_error": None,
    }
    assert isinstance(answer["workers"], int)
    assert isinstance(answer["state"], str)
    assert f"url          {tiny.url}" in run("status", PROJECT).stdout


def test_versions(run: Run, tiny: Deployment) -> None:
    answer = run("versions", PROJECT, "--json").json
    assert (answer["ok"], answer["project"]) == (True, PROJECT)
    assert [(v["release"], v["state"]) for v in answer["versions"]] == [(tiny.release, "active")]
    assert run("versions", PROJECT).stdout.splitlines()[1].split()[:2] == [tiny.release, "active"]


def test_rollback_and_destroy(run: Run, platform: Platform, tmp_path: Path) -> None:
    first = platform.deploy(SERVERS / "mcp2_lowlevel", name="short-lived")
    second = platform.deploy(with_config(SERVERS / "mcp2_lowlevel", "", tmp_path), name="short-lived")
    assert (first.release, second.release, second.url) == ("v1", "v2", first.url)
    answer = run("rollback", "short-lived", "--json").json
    assert (answer["ok"], answer["release"], answer["changed"], answer["url"]) == (True, "v1", True, first.url)
    assert run("rollback", "short-lived", "1", "--json").json["changed"] is False
    assert run("rollback", "short-lived", "v2").stdout == f"short-lived serves v2: {first.mcp_url}\n"
    assert error_of(run("rollback", "short-lived", "v7", "--json"))[:2] == (4, "not-found")
    for release in ("two", "v", "vv1", "-1", "1.0"):
        assert error_of(run("rollback", "short-lived", "--json", "--", release))[:2] == (2, "input"), release
    answer = run("destroy", "short-lived", "--json").json
    assert (answer["ok"], answer["project"], answer["destroyed"], answer["kept"]) == (True, "short-lived", True, [])
    assert error_of(run("status", "short-lived", "--json"))[:2] == (4, "not-found")


def test_nothing_before_the_first_release(run: Run, tiny: Deployment) -> None:
    assert error_of(run("rollback", PROJECT, "--json"))[:2] == (4, "not-found")


@pytest.mark.parametrize("command", ["status", "versions", "rollback", "destroy", "logs"])
def test_there_is_no_such_project(run: Run, tiny: Deployment, command: str) -> None:
    for name in HOSTILE:
        code, category, message, hint = error_of(run(command, "--json", "--", name))
        assert (code, category, hint) == (4, "not-found", "`homeport list` shows the projects"), name
        assert repr(name) in message
    assert run("status", PROJECT).code == 0
