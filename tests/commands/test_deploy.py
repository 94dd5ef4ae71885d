from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.conftest import PROJECT, Run, error_of
from tests.support import SERVERS, Deployment

SERVER = SERVERS / "mcp2_lowlevel"
STAGES = ["read", "lock", "layer", "inspect", "bundle", "plan"]


def test_an_unchanged_deploy_says_so(run: Run, tiny: Deployment) -> None:
    done = run("deploy", str(SERVER), "--name", PROJECT, "--json")
    answer = done.json
    stages = answer.pop("stages")
    assert answer == {
        "ok": True,
        "project": PROJECT,
        "release": tiny.release,
        "target": "local",
        "url": tiny.url,
        "mcp_url": tiny.mcp_url,
        "sse_url": tiny.sse_url,
        "auth": "none",
        "changed": False,
        "findings": [],
    }
    assert [stage["name"] for stage in stages] == [*STAGES, "apply"]
    assert all(set(stage) == {"name", "seconds", "cached"} for stage in stages)
    assert next(stage for stage in stages if stage["name"] == "layer")["cached"] is True
    assert all(name in done.stderr for name in STAGES)


def test_what_a_deploy_took_is_kept(run: Run, tiny: Deployment) -> None:
    first = run("deployments", PROJECT, "--json").json["deployments"][-1]
    assert (first["release"], first["source"], first["seconds"] > 0) == ("v1", "laptop", True)


def test_people_see_the_url(run: Run, tiny: Deployment) -> None:
    done = run("deploy", str(SERVER), "--name", PROJECT)
    lines = done.stdout.splitlines()
    assert f"  {tiny.mcp_url}" in lines
    assert lines[-1] == f"next:  homeport connect {PROJECT} --client claude-code"
    assert "no changes" in done.stdout


def test_a_dry_run_changes_nothing(run: Run, tiny: Deployment) -> None:
    answer = run("deploy", str(SERVER), "--name", "never", "--dry-run", "--json").json
    assert (answer["project"], answer["changed"]) == ("never", True)
    assert [step["action"] for step in answer["plan"]] == ["create", "start", "switch"]
    assert run("status", "never").code == 4
    assert run("deploy", str(SERVER), "--name", PROJECT, "--dry-run", "--json").json["plan"] == []


@pytest.mark.parametrize(
    ("arguments", "category"),
    [
        (["none.py"], "source"),
        (["."], "source"),
        ([str(SERVER), "--name", "Not A Name"], "input"),
        ([str(SERVER), "--env", "NO_VALUE"], "input"),
        ([str(SERVER), "--env", "1=x"], "input"),
        ([str(SERVER), "--nam", "x"], "input"),
        ([str(SERVER), "surplus"], "input"),
    ],
)
def test_wrong_input(run: Run, tmp_path: Path, arguments: list[str], category: str) -> None:
    assert error_of(run("deploy", *arguments, "--json", cwd=tmp_path))[:2] == (2, category)


def test_bad_configuration_names_the_nearest_key(run: Run, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("mcp = 1\n")
    (tmp_path / "fastmcp.toml").write_text('[project]\nnam = "x"\n')
    code, category, message, hint = error_of(run("deploy", "--json", cwd=tmp_path))
    assert (code, category) == (2, "config")
    assert "fastmcp.toml" in message
    assert "name" in message + hint
