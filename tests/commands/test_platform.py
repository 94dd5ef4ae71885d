from __future__ import annotations

from pathlib import Path

from platform_cli import __version__
from tests.commands.conftest import Run


def test_start_status_stop(run: Run, tmp_path: Path) -> None:
    home = {"HOMEPORT_HOME": str(tmp_path / "platform")}
    assert run("platform", "status", "--json", env=home).json == {"ok": True, "running": False}
    assert run("platform", "status", env=home).stdout == "not running; `homeport platform start`\n"
    try:
        started = run("platform", "start", "--json", env=home).json
        assert (started["ok"], started["running"], started["version"]) == (True, True, __version__)
        assert run("platform", "start", "--json", env=home).json["pid"] == started["pid"]
        assert run("platform", "status", "--json", env=home).json == started
    finally:
        stopped = run("platform", "stop", "--json", env=home)
    assert stopped.json == {"ok": True, "running": False, "stopped": True}
    assert run("platform", "stop", env=home).stdout == "it was not running\n"


def test_a_subcommand_is_needed(run: Run) -> None:
    done = run("platform")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: homeport platform")
    assert "error" not in done.stderr
