"""Tests that no process outlives the build that has started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from platform_cli.aws_platform.builder import Builder
from platform_cli.aws_platform.names import QUEUE_VARIABLE
from platform_cli.home import Home
from platform_cli.targets.aws_lambda.client import AWS
from tests.support import require

# It lets a server's child leave its session and its parent, as a daemon does.
BUILD = """
import os, subprocess, sys, time
from platform_cli.aws_platform.leftovers import end_descendants, keep_orphans

SERVER = '''
import os, time
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
print(os.getpid(), flush=True)
os.close(1)
time.sleep(600)
'''
keep_orphans()
daemon = int(subprocess.run([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, check=True).stdout)
os.kill(daemon, 0)
end_descendants()
try:
    os.kill(daemon, 0)
except ProcessLookupError:
    print("gone")
"""


def test_a_daemon_ends_with_the_build() -> None:
    require(sys.platform == "linux", "Lambda is Linux")
    done = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "gone\n", done.stderr


def test_it_ends_before_another_projects_folders_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv(QUEUE_VARIABLE, "-")
    home = tmp_path / "home"
    home.mkdir()
    seen: list[bool] = []
    builder = Builder(AWS("eu-central-1"), Home(home), end_left=lambda: seen.append((home / "planted").exists()))
    for project in ("one", "one", "other"):
        builder.settle(project)
        (home / "planted").touch()
    assert seen == [True]
    assert [path.name for path in home.iterdir()] == ["planted"]
