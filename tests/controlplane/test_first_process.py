"""Runs a process as the first one of a PID namespace, as a container's platform is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import require

# Its child leaves an orphan behind, which ends at once, and says when that has been reaped.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from platform_cli.controlplane.first_process import go_on_in_child

go_on_in_child()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
if os.fork() == 0:
    if os.fork():
        os._exit(0)
    os._exit(0)
os.wait()

def processes():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())

while processes() != [1, os.getpid()]:
    time.sleep(0.01)
print("reaped", flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PID namespaces are Linux's")
def test_orphans_are_reaped_and_a_signal_ends_it_as_its_child_ends() -> None:
    require(os.getuid() == 0, "a PID namespace takes root")
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "reaped\n"
        [first] = children(process.pid)
        os.kill(first, signal.SIGTERM)
        assert process.wait() == 7
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
