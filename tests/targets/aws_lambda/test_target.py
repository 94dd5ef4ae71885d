"""Everyday operations, and what is refused before anything is changed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.aws.control_plane import ControlPlane
from tests.support import ROOT, CommandFailedError, Platform


def test_logs_are_the_servers_records_and_lambdas_own_lines(
    laptop: Platform, plane: ControlPlane, project: Path
) -> None:
    laptop.run("deploy", str(project), "--name", "talks")
    now = int(time.time() * 1000)
    record = {"time": now / 1000, "level": "warning", "release": "v1", "message": "from the server"}
    group = {"logGroupName": "/aws/lambda/homeport-talks", "logStreamName": "2026/11/25/[1]abc"}
    logs = plane.moto.client("logs")
    logs.create_log_stream(**group)
    messages = [json.dumps(record), "REPORT RequestId: 1 Duration: 12.5 ms"]
    events = [{"timestamp": now + place, "message": message} for place, message in enumerate(messages)]
    logs.put_log_events(**group, logEvents=events)

    def shown(*options: str) -> list[str]:
        command = [sys.executable, "-m", "platform_cli", "logs", "talks", "--json", *options]
        done = subprocess.run(command, env=laptop.environment, cwd=ROOT, capture_output=True, text=True, check=True)
        return [json.loads(line)["message"] for line in done.stdout.splitlines()]

    assert shown() == ["from the server", "REPORT RequestId: 1 Duration: 12.5 ms"]
    assert shown("--level", "warning") == ["from the server"]
    assert shown("--release", "v1") == ["from the server"]


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ("[deployment]\nsessions = true\n", (), "sessions = true keeps sessions in one process"),
        ("[deployment]\ncommand = 'node x.mjs'\n", (), "a stdio command cannot run on Lambda"),
        ("[scaling]\nmin = 1\n[deployment.lambda]\nsnap_start = true\n", (), "Lambda has no function with both"),
        ("[deployment.lambda]\nsnap_start = true\n", (), "snap_start needs Python 3.12"),
        ("[environment]\nKEY = '${secrets.KEY}'\n", (), "needs the secret KEY, and secrets belong to a project"),
        ("", ("--name", "a" * 56), "Lambda has room for 55"),
    ],
)
def test_what_cannot_run_there_is_refused_before_anything_is_changed(
    laptop: Platform, plane: ControlPlane, tmp_path: Path, config: str, options: tuple[str, ...], message: str
) -> None:
    if "snap_start" in config and sys.version_info >= (3, 12):
        pytest.skip("this Python has it")
    (tmp_path / "server.py").write_text((ROOT / "tests/servers/mcp2_lowlevel/server.py").read_text())
    (tmp_path / "requirements.txt").write_text("mcp>=2.3,<3\n")
    (tmp_path / "fastmcp.toml").write_text(config)
    plane.calls.clear()
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(tmp_path), *options)
    assert (caught.value.code, message in caught.value.error["message"]) == (2, True)
    assert plane.calls == []
