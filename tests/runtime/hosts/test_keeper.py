"""Tests the process outside of a zygote's room."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from homeport_runtime.hosts.confinement import Room, can_hide
from platform_cli.supervisor.launch import PYTHON_FLAGS
from platform_cli.supervisor.zygote import BOOT

from ...support import require
from ..conftest import DEADLINE_S, ROOT


def test_without_a_room_nothing_is_imported(tmp_path: Path) -> None:
    """Whoever has started it is told by its end, and starts workers plainly."""
    require(can_hide(tmp_path), "a system that lets processes have mount namespaces")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        room = Room((tmp_path / "is" / "not" / "there",)).to_json()
        done = subprocess.run(
            [sys.executable, *PYTHON_FLAGS, "-c", BOOT, str(ROOT / "runtime"), str(theirs.fileno()), room],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("packages cannot be imported in a room, and workers start without a zygote: ")
    assert "Traceback" not in done.stderr
