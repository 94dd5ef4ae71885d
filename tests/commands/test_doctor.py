from __future__ import annotations

from pathlib import Path

from tests.commands.conftest import Run
from tests.support import Deployment

NAMES = ["python", "uv", "port", "home", "confinement", "users", "disk", "platform"]


def test_a_sound_machine(run: Run, tiny: Deployment) -> None:
    done = run("doctor", "--json")
    assert (done.code, done.json["ok"]) == (0, True)
    # The check of Caddy is there only where Caddy is installed.
    checks = [check for check in done.json["checks"] if check["name"] != "caddy"]
    assert [check["name"] for check in checks] == NAMES
    assert all(set(check) == {"name", "status", "detail", "fix"} for check in checks)
    assert checks[-1]["detail"].startswith("running, process ")
    reached = {each["what"]: each["reached"] for each in done.json["reach"]}
    assert reached["the network, and every port of this machine"] == "yes"
    assert reached["core dumps with its secrets"] == "no"
    assert "what a server can reach" in run("doctor").stdout


def test_doctor_starts_nothing(run: Run, tmp_path: Path) -> None:
    home = {"HOMEPORT_HOME": str(tmp_path / "other")}
    details = [check["detail"] for check in run("doctor", "--json", env=home).json["checks"]]
    assert "not running; the next deploy starts it" in details
    assert run("platform", "status", "--json", env=home).json == {"ok": True, "running": False}


def test_a_problem_ends_in_exit_code_1_and_a_fix(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = {"HOMEPORT_HOME": str(tmp_path / "file" / "home")}
    done = run("doctor", "--json", env=home)
    assert (done.code, done.json["ok"]) == (1, False)
    assert done.json["checks"][-1]["status"] == "problem"
    people = run("doctor", env=home)
    assert people.code == 1
    assert people.stdout.splitlines()[-1].strip() == "fix: set HOMEPORT_HOME to a folder of your own"
