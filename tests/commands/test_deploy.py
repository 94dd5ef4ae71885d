from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.command_line import Command
from tests.commands.conftest import PROJECT, Run, environment, error_of
from tests.e2e.probing import wait_for
from tests.support import SERVERS, Deployment, Platform, with_packages

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


LINGERS = "import time\n\ntime.sleep(3600)\n"


def platform_processes(home: Path) -> list[int]:
    """Returns the platform's processes of this home, also while they are only coming up."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_platform = b"platform_cli.controlplane" in (process / "cmdline").read_bytes()
            if is_platform and f"HOMEPORT_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("requirements", "category"), [("there-is-no-such-package-at-all\n", "lock"), ("mcp>=2\n", "inspect")]
)
def test_a_refused_deploy_leaves_no_platform(run: Run, tmp_path: Path, requirements: str, category: str) -> None:
    (project := tmp_path / "project").mkdir()
    (project / "requirements.txt").write_text(requirements)
    (project / "server.py").write_text("from mcp.server import MCPServer\n1 / 0\n")
    home = with_packages(tmp_path / "home")
    done = run("deploy", str(project / "server.py"), "--json", env={"HOMEPORT_HOME": str(home)})
    assert done.json["error"]["category"] == category
    assert platform_processes(home) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_leaves_no_platform(platform: Platform, tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    (project / "requirements.txt").write_text("mcp>=2\n")
    (project / "server.py").write_text(LINGERS)
    home = with_packages(tmp_path / "home")
    given = {**environment(platform, tmp_path), "HOMEPORT_HOME": str(home)}
    command = Command(["deploy", str(project / "server.py"), "--json"], cwd=tmp_path, env=given)
    wait_for(lambda: platform_processes(home))
    os.kill(command.pid, signal.SIGINT)
    assert command.wait(60).returncode == 130
    assert platform_processes(home) == []


def test_arguments_behind_two_dashes_are_the_servers(run: Run, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("mcp>=2\n")
    (tmp_path / "server.py").write_text(
        "import argparse\n"
        "from mcp.server import MCPServer\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--json', required=True)\n"
        "given = parser.parse_args().json\n"
        "mcp = MCPServer('argued')\n"
        "@mcp.tool()\n"
        "def told() -> str:\n"
        "    return given\n"
        "mcp.run()\n"
    )
    done = run("deploy", str(tmp_path), "--name", "argued", "--", "--json", "yes")
    assert done.code == 0, done.stderr
    assert "argued v1 is live" in done.stdout
    assert run("call", "argued", "told").stdout == "yes\n"
    assert run("destroy", "argued").code == 0
