from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from platform_cli.infra_files import infra_file
from platform_cli.supervisor.worker import DRAIN_LIMIT_S
from tests.support import require

UNIT = infra_file("systemd/homeport.service")


@pytest.mark.parametrize("users", [False, True])
@pytest.mark.parametrize("name", ["homeport.service", "homeport-caddy.service"])
def test_systemd_understands_every_line(name: str, users: bool, tmp_path: Path) -> None:
    require(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    unit = tmp_path / name
    # The only thing that is not on this machine is the installed command.
    text = infra_file(f"systemd/{name}").read_text()
    if users:
        text += infra_file(f"systemd/{name}.d/users.conf").read_text()
    unit.write_text(re.sub("/opt/homeport/bin/homeport|/usr/bin/caddy", sys.executable, text))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, unit.name in done.stderr) == (0, False), done.stderr


def test_open_requests_may_finish() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) > DRAIN_LIMIT_S
