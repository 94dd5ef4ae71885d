"""Tests that a target takes a module and a line in the table: then each command knows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT, SERVERS, with_config, with_packages

# `homeport` with one more line in the table. What a command has imported at its end is told on the last line.
HOMEPORT = """
import atexit, sys
from platform_cli.target_table import TARGETS
TARGETS["shelf"] = "tests.targets.shelf:Shelf"
from platform_cli.__main__ import main
atexit.register(lambda: print(*(name for name in ("boto3", "fastapi") if name in sys.modules), file=sys.stderr))
main()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return with_config(SERVERS / "mcp2_lowlevel", '\n[deployment]\ntarget = "shelf"\n', tmp_path)


def test_a_third_target_deploys_lists_and_destroys(tmp_path: Path, project: Path) -> None:
    home = with_packages(tmp_path / "home")
    environment = {**os.environ, "HOMEPORT_HOME": str(home), "SHELF": str(tmp_path / "shelf"), "PYTHONPATH": str(ROOT)}

    def run(*arguments: str, code: int = 0) -> tuple[str, str]:
        command = [sys.executable, "-c", HOMEPORT, *arguments]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.splitlines()[-1] == "", "no other target is imported"
        return done.stdout, done.stderr

    def answer(*arguments: str) -> Any:
        return json.loads(run(*arguments, "--json")[0])

    assert answer("deploy", "--dry-run", "--name", "book")["plan"] == [{"action": "put", "detail": "book on the shelf"}]
    said, progress = run("deploy", "--name", "book")
    assert "book v1 is live on the shelf" in said
    assert "token: secret" in said
    assert "homeport connect book --target shelf" in said
    assert "a shelf serves nobody" in progress
    assert "dust it now and then" in progress
    assert not answer("deploy", "--name", "book")["changed"]
    assert [one["project"] for one in answer("list")["projects"]] == ["book"]
    assert "state        lying" in run("status", "book")[0]
    connection = answer("connect", "book", "--client", "cursor")["config"]["mcpServers"]["book"]
    assert connection["headers"] == {"Authorization": "Bearer secret"}, "its token is kept here"
    assert "nothing is promoted on a shelf" in run("promote", "a", "b", "--name", "book", code=2)[1]
    assert "nobody can be asked" in run("destroy", "book", code=2)[1]
    assert answer("destroy", "book", "--yes")["destroyed"]
    assert answer("list")["projects"] == []
    assert "no project 'book' on the shelf" in run("status", "book", code=4)[1]
    assert not (home / "platform.sock").exists(), "no platform was started"
