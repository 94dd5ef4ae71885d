"""Tests what waits while the machine's clock is set by hours, forwards and backwards: nothing is misled.

`time.time` of the platform, of its commands and of a server's worker reads an offset from a file; what the kernel
counts (`time.monotonic`, timeouts) goes on, as it does when a clock is set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ..support import SERVERS, Platform, with_config, with_packages
from .probing import DEADLINE_S, call, homeport, wait_for

HOURS = 3600.0
CLOCK = """
import time
def jumped(real=time.time, file={file!r}):
    return real() + float(open(file).read() or 0)
time.time = jumped
"""


class Clock:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.code = CLOCK.format(file=str(file))
        self.offset = 0.0
        self.set(0)

    def set(self, offset: float) -> None:
        self.offset = offset
        new = self._file.with_suffix(".new")
        new.write_text(str(offset))
        new.replace(self._file)

    def shows(self, stamp: float) -> bool:
        return abs(stamp - time.time() - self.offset) < HOURS / 2


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "offset")


@pytest.fixture
def platform(tmp_path: Path, clock: Clock) -> Iterator[Platform]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(clock.code)
    platform = Platform(with_packages(tmp_path / "home"))
    platform.environment["PYTHONPATH"] = str(tmp_path / "site")
    yield platform
    platform.stop()


def is_idle_after(platform: Platform, clock: Clock, jump: float) -> bool:
    """Sets the clock on, and tells whether the project is idle: asked again and again, while the worker counts its
    quiet seconds.
    """
    clock.set(clock.offset + jump)
    state: str = platform.run("status", "clock")["state"]
    return state == "idle"


@pytest.mark.whole
def test_a_clock_that_jumps(platform: Platform, clock: Clock, tmp_path: Path) -> None:
    project = with_config(SERVERS / "mcp2_lowlevel", "[scaling]\nidle_s = 1\n", tmp_path)
    source = (project / "server.py").read_text()
    header, future, rest = source.partition("from __future__ import annotations\n")
    (project / "server.py").write_text(f"{header}{future}{clock.code}{rest}" if future else f"{clock.code}{source}")
    url = platform.deploy(project, name="clock").url
    following = homeport(platform, "logs", "clock", "--follow", "--grep", "tools/call")
    assert following.stdout is not None
    try:
        for number, jump in enumerate((6 * HOURS, -6 * HOURS)):
            assert call(url, "add", a=number, b=1) == str(number + 1)
            followed = json.loads(following.stdout.readline())
            assert clock.shows(followed["time"])
            recent = homeport(platform, "logs", "clock", "--since", "1m", "--grep", "tools/call")
            lines = recent.communicate(timeout=DEADLINE_S)[0].splitlines()
            assert json.loads(lines[-1]) == followed
            wait_for(partial(is_idle_after, platform, clock, jump))
            platform.run("set-secret", "WORD", f"value {number}", "--project", "clock")
            (secret,) = platform.run("list-secrets", "--project", "clock")["secrets"]
            assert secret["version"] == number + 1
            assert clock.shows(secret["versions"][-1]["set_at"])
            with (project / "server.py").open("a") as file:
                file.write("# edited\n")
            assert platform.deploy(project, name="clock").release == f"v{number + 2}"
    finally:
        following.kill()
        following.communicate()
    assert platform.run("rollback", "clock")["release"] == "v2"
    assert [version["release"] for version in platform.run("versions", "clock")["versions"]] == ["v3", "v2", "v1"]
    clock.set(-12 * HOURS)
    platform.stop()
    platform.run("platform", "start")
    assert call(url, "add", a=20, b=22) == "42"
