"""Tests a platform that starts where something is missing: it serves what it can, or says at once why not."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..e2e.probing import DEADLINE_S, call
from ..small_disks import fill, small_disk
from ..support import ROOT, SERVERS, CommandFailedError, Platform

# The seconds that `homeport platform start` waits for a platform that says nothing.
START_TIMEOUT_S = 30


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 400) as folder:
        yield folder


def last_port(platform: Platform) -> int:
    """Returns the port on which the control plane listened last."""
    with closing(sqlite3.connect(f"file:{platform.home}/store.db?immutable=1", uri=True)) as store:
        (port,) = store.execute("SELECT value FROM settings WHERE key = 'api_port'").fetchone()
    return int(port)


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Occupies a port, as another program would."""
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_on_a_full_disk_everything_is_served(disk: Path) -> None:
    platform = Platform(disk / "home")
    with ExitStack() as last:
        last.callback(platform.stop)
        url = platform.deploy(SERVERS / "mcp2_lowlevel", name="full").url
        platform.stop()
        filler = fill(disk)
        with taken(last_port(platform)):
            assert platform.run("platform", "start")["running"]
        assert call(url, "add", a=20, b=22) == "42"
        assert urlsplit(platform.run("status", "full")["url"]).port == urlsplit(url).port
        filler.unlink()
        platform.stop()
        platform.run("platform", "start")
        platform.run("set-secret", "PW", "now there is room", "--project", "full")


def test_without_descriptors_the_reason_is_said_at_once(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    started = time.monotonic()
    limited = 'ulimit -n 14; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limited, "sh", sys.executable, "-m", "platform_cli", "platform", "start", "--json"],
        cwd=ROOT,
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1
    assert "Too many open files" in done.stdout
    assert "ulimit" in done.stdout
    assert time.monotonic() - started < START_TIMEOUT_S


def test_a_store_that_cannot_be_read_is_said_at_once(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "home")
    platform.home.mkdir(mode=0o700)
    (platform.home / "store.db").write_text("this is no database at all, whatever its name says " * 100)
    with pytest.raises(CommandFailedError, match="not a database"):
        platform.run("platform", "start")
