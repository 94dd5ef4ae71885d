"""Tests a control plane that is started anew, or killed: whoever calls a project notices nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from platform_cli import __version__
from tests.soak.clients import SESSIONS, STATELESS
from tests.soak.load import Caller, Load
from tests.soak.project import Project

from ..support import ROOT, SERVERS, Deployment, Platform, require, with_config, with_packages
from .probing import DEADLINE_S, call, call_on, connect, control_plane, master, processes, wait_for, workers

TIMES = 2
End = Callable[[Platform], None]
# Without a zygote: a process that the control plane itself has started.
SLEEPS = "[scaling]\nidle_s = 1\n[features]\ncold_start_optimization = false\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("restarts") / "home"))
    yield platform
    platform.stop()
    assert processes(platform) == {}


@pytest.fixture(scope="module")
def sleeps(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = with_config(SERVERS / "mcp2_lowlevel", SLEEPS, tmp_path_factory.mktemp("sleeps"))
    return platform.deploy(folder, name="sleeps")


def restart(platform: Platform) -> None:
    platform.run("platform", "restart")


def kill(platform: Platform) -> None:
    os.kill(control_plane(platform), signal.SIGKILL)


def is_asleep(platform: Platform) -> bool:
    return bool(platform.api.status("sleeps")["workers"] == 0)


def test_no_request_is_lost(platform: Platform, tmp_path: Path) -> None:
    steady = Project.written(platform, "steady", tmp_path)
    held = Project.written(platform, "held", tmp_path, "[deployment]\nsessions = true\n")
    callers = [
        Caller(kind, project.url, opened)
        for project, kinds in ((steady, STATELESS), (held, SESSIONS))
        for kind, opened in kinds.items()
    ]
    first, running = control_plane(platform), workers(platform)
    seen = {first}
    with Load(callers) as load:
        for end in (restart, kill) * TIMES:
            before = load.answered.total()
            end(platform)
            wait_for(lambda: control_plane(platform) not in seen)
            seen.add(control_plane(platform))
            wait_for(lambda before=before: load.answered.total() > before + 5 * len(callers))  # type: ignore[misc]
        assert workers(platform) == running, "they go on as they are"
        steady.deploy()
        wait_for(lambda: len(load.lives) > len(running))
    assert not load.lost
    assert set(load.answered) == {caller.kind for caller in callers}


@pytest.mark.parametrize("end", [restart, kill])
def test_a_call_under_way_is_answered(platform: Platform, sleeps: Deployment, end: End) -> None:
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(call, sleeps.url, "slow", steps=1, token=end.__name__)
        wait_for(lambda: not is_asleep(platform))
        before = control_plane(platform)
        end(platform)
        wait_for(lambda: control_plane(platform) != before)
        assert call(sleeps.url, "release", token=end.__name__) == "released"
        assert slow.result() == "1 steps"
    # What it printed meanwhile is not lost.
    log = platform.home / "projects" / "sleeps" / "logs"
    wait_for(lambda: any("tools/call slow: ok" in path.read_text() for path in log.glob("*")))


def test_connections_to_a_project_that_sleeps_wait_for_the_next(platform: Platform, sleeps: Deployment) -> None:
    connection = connect(sleeps.url)
    assert call_on(connection, "add", a=1, b=2) == "3"
    wait_for(partial(is_asleep, platform))
    descriptor = connection.sock.fileno()
    restart(platform)
    restart(platform)
    assert is_asleep(platform)
    assert call_on(connection, "add", a=20, b=22) == "42"
    assert connection.sock.fileno() == descriptor, "it is the connection of before"
    connection.close()


@contextmanager
def caddy(port: int, folder: Path) -> Iterator[str]:
    """Runs a Caddy in front of a project, as the platform has it, and yields its URL."""
    require(shutil.which("caddy"), "caddy is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    (folder / "Caddyfile").write_text(
        f"{{\n\tadmin off\n}}\nhttp://127.0.0.1:{own} {{\n\treverse_proxy 127.0.0.1:{port}\n}}\n"
    )
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["caddy", "run"], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: b"serving initial configuration" in (folder / "log").read_bytes())
        yield f"http://127.0.0.1:{own}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("end", [restart, kill])
def test_what_is_posted_through_caddy_meanwhile_is_answered(
    platform: Platform, sleeps: Deployment, tmp_path: Path, end: End
) -> None:
    with caddy(urlsplit(sleeps.url).port or 0, tmp_path) as url, ThreadPoolExecutor() as pool:
        wait_for(partial(is_asleep, platform))
        ending = pool.submit(end, platform)
        answered = 0
        # No worker runs at first: it is the control plane that has to notice.
        while not ending.done() or not answered:
            assert call(url, "add", a=20, b=22) == "42"
            answered += 1


def test_an_upgrade_in_place_keeps_what_runs(tmp_path: Path) -> None:
    platform, code = Platform(with_packages(tmp_path / "home")), tmp_path / "code"
    shutil.copytree(ROOT / "platform_cli", code / "platform_cli")
    version = code / "platform_cli" / "__init__.py"
    current = version.read_text()
    version.write_text(current.replace(f'"{__version__}"', '"0.0.1"'))
    try:
        url = platform.deploy(SERVERS / "mcp2_lowlevel", name="served").url
        platform.stop()
        older = subprocess.Popen(
            [sys.executable, "-m", "platform_cli.controlplane.master"],
            cwd="/",
            env={**platform.environment, "PYTHONPATH": str(code)},
        )
        wait_for(lambda: platform.run("platform", "status").get("version") == "0.0.1")
        worker = call(url, "whoami")
        version.write_text(current)
        assert platform.run("platform", "start")["version"] == __version__
        assert master(platform) == older.pid
        assert call(url, "whoami") == worker
    finally:
        platform.stop()
    assert older.wait(DEADLINE_S) == 0
