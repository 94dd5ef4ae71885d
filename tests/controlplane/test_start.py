"""Tests that a control plane loads nothing at its start that few projects need, since none answers before."""

from __future__ import annotations

import subprocess
import sys

# What each start would take a third longer with.
LATE = {"httpx", "rich", "uvicorn", "fastapi", "homeport_runtime.hosts.worker", "platform_cli.pipeline.build"}


def test_projects_are_served_before_more_is_loaded() -> None:
    script = "import sys, platform_cli.controlplane.__main__, platform_cli.controlplane.platform; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "platform_cli.supervisor.supervisor" in loaded
    assert not LATE & {*loaded}
