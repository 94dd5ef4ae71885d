"""Tests that whatever is killed, every project answers on its old port; what nobody uses does not run."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from platform_cli.controlplane.store import Store
from platform_cli.home import Home
from platform_cli.supervisor.sockets import first_port, open_new_listener

from ..support import SERVERS, Deployment, Platform, require, with_config, with_packages
from .load import Load
from .probing import (
    DEADLINE_S,
    HEADERS,
    call,
    call_on,
    connect,
    control_plane,
    homeport,
    master,
    processes,
    wait_for,
    workers,
)

IDLE_S = 1
MANY = 200
ONLY_FORKS = pytest.mark.skipif(sys.platform != "linux", reason="zygotes are used on Linux")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("killed") / "home"))
    yield platform
    platform.stop()
    assert processes(platform) == {}


@pytest.fixture(scope="module")
def kept(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> list[Deployment]:
    """Deploys two projects, the first with two releases, that every test finds as it left them."""
    folder = Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path_factory.mktemp("kept") / "project"))
    first = platform.deploy(folder, name="first")
    with (folder / "server.py").open("a") as file:
        file.write("# another release\n")
    platform.deploy(folder, name="first")
    return [first, platform.deploy(folder, name="second")]


def check_all_there(platform: Platform, kept: list[Deployment]) -> None:
    for deployment in kept:
        assert platform.run("status", deployment.project)["url"] == deployment.url
        # What a killed platform left behind may hold the port for a moment.
        wait_for(partial(answers, deployment.url))
    assert [(v["release"], v["state"]) for v in platform.run("versions", "first")["versions"]] == [
        ("v2", "active"),
        ("v1", "inactive"),
    ]
    assert [v["release"] for v in platform.run("versions", "second")["versions"]] == ["v1"]


def answers(url: str) -> bool:
    try:
        return call(url, "add", a=20, b=22) == "42"
    except (OSError, http.client.HTTPException):
        return False


def is_well(platform: Platform, project: str) -> bool:
    """Tells whether what has failed is over: its log has it."""
    return platform.run("status", project)["last_error"] is None


def has_ended(platform: Platform, pid: int) -> bool:
    return pid not in processes(platform)


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_control_plane_is_killed(platform: Platform, kept: list[Deployment]) -> None:
    check_all_there(platform, kept)
    killed, running = control_plane(platform), workers(platform)
    assert len(running) == 2
    kill(killed)
    # Its master starts another one, which goes on with the workers that are there.
    check_all_there(platform, kept)
    assert control_plane(platform) != killed
    assert workers(platform) == running
    platform.run("call", "first", "add", "a=1", "b=2")


def test_connections_to_a_sleeping_project_outlive_the_control_plane(platform: Platform, tmp_path: Path) -> None:
    scaling = f"[scaling]\nidle_s = {IDLE_S}\n"
    url = platform.deploy(with_config(SERVERS / "mcp2_lowlevel", scaling, tmp_path), name="sleeps").url
    connections = [connect(url) for _ in range(20)]
    for connection in connections:
        call_on(connection, "whoami")
    descriptors = [connection.sock.fileno() for connection in connections]
    for _ in range(2):
        wait_for(lambda: count(platform, "sleeps") == 0)
        killed = control_plane(platform)
        kill(killed)
        wait_for(lambda: platform.run("platform", "status")["pid"] not in (None, killed))  # noqa: B023 - called at once
        assert [call_on(connection, "add", a=1, b=2) for connection in connections] == ["3"] * len(connections)
    assert [connection.sock.fileno() for connection in connections] == descriptors, "none was closed"
    # What a client has closed meanwhile is closed here, too.
    wait_for(lambda: count(platform, "sleeps") == 0)
    for connection in connections:
        connection.close()
    assert answers(url)
    platform.run("destroy", "sleeps")


def test_the_platform_ends_with_its_master(platform: Platform, kept: list[Deployment]) -> None:
    check_all_there(platform, kept)
    kill(master(platform))
    wait_for(lambda: not processes(platform))
    wait_for(lambda: not (platform.home / "platform.sock").exists())
    platform.run("platform", "start")
    check_all_there(platform, kept)


def test_any_command_starts_a_killed_platform_again(platform: Platform, kept: list[Deployment]) -> None:
    check_all_there(platform, kept)
    orphans = processes(platform)
    # The control plane is of its group.
    os.killpg(master(platform), signal.SIGKILL)
    assert (platform.home / "platform.sock").exists(), "nobody could remove the dead one's socket"
    # A worker never outlives its platform by more than moments.
    wait_for(lambda: not processes(platform).keys() & orphans.keys())
    assert [project["project"] for project in platform.run("list")["projects"]] == ["first", "second"]
    check_all_there(platform, kept)


@ONLY_FORKS
def test_a_zygote_is_killed(platform: Platform, kept: list[Deployment], tmp_path: Path) -> None:
    check_all_there(platform, kept)
    before, serving = control_plane(platform), workers(platform)
    zygotes = processes(platform).keys() - serving
    kill(*zygotes)
    # Its workers go on, and the next one has a new zygote.
    for deployment in kept:
        assert answers(deployment.url)
    kill(*serving)
    check_all_there(platform, kept)
    assert control_plane(platform) == before
    assert not processes(platform).keys() & zygotes
    assert len(workers(platform)) == 2


def test_a_worker_is_killed(platform: Platform, kept: list[Deployment]) -> None:
    check_all_there(platform, kept)
    before = control_plane(platform)
    for deployment in kept:
        pid = int(call(deployment.url, "whoami").split()[0])
        kill(pid)
        wait_for(partial(has_ended, platform, pid))
        # Nothing is refused: a connection waits until the next worker is there.
        assert answers(deployment.url)
        log = platform.home / "projects" / deployment.project / "logs"
        assert any("SIGKILL" in path.read_text() for path in log.iterdir())
        wait_for(partial(is_well, platform, deployment.project))
    assert control_plane(platform) == before


def test_a_worker_is_killed_amid_an_answer(platform: Platform, kept: list[Deployment]) -> None:
    """Nobody but the worker holds the connection, so that the kernel ends it; what clients make of that is theirs."""
    url = kept[0].url
    wait_for(partial(answers, url))
    pid = int(call(url, "whoami").split()[0])
    arguments = {"name": "slow", "arguments": {"steps": 2, "token": "nobodys"}, "_meta": {"progressToken": "t"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": arguments}
    with contextlib.closing(connect(url)) as connection:
        connection.request("POST", "/mcp", json.dumps(message), HEADERS)
        with connection.getresponse() as reply:
            assert b"notifications/progress" in reply.readline() + reply.readline()
            kill(pid)
            with pytest.raises(http.client.IncompleteRead):
                reply.read()
    wait_for(partial(answers, url))
    wait_for(partial(is_well, platform, kept[0].project))


def test_everything_is_killed_at_once(platform: Platform, kept: list[Deployment]) -> None:
    check_all_there(platform, kept)
    call(kept[0].url, "remember", text="before the end")
    log = platform.home / "projects" / "first" / "logs"
    wait_for(lambda: any("tools/call remember" in path.read_text() for path in log.glob("*")))
    pids = {master(platform), control_plane(platform), *processes(platform)}
    kill(*pids)
    wait_for(lambda: not processes(platform))
    platform.run("platform", "start")
    check_all_there(platform, kept)
    assert call(kept[0].url, "recall") == "before the end"
    # What was printed and called before is in the log still, and each line is whole.
    command = homeport(platform, "logs", "first", "--grep", "tools/call remember")
    stdout, stderr = command.communicate(timeout=DEADLINE_S)
    assert json.loads(stdout.splitlines()[-1])["call"]["tool"] == "remember", stderr


def test_starting_twice_gives_one_process(platform: Platform, kept: list[Deployment]) -> None:
    platform.stop()
    command = [sys.executable, "-m", "platform_cli", "platform", "start", "--json"]
    started = [subprocess.Popen(command, env=platform.environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    pids = {json.loads(process.communicate(timeout=60)[0])["pid"] for process in started}
    assert pids == {control_plane(platform)}
    assert platform.run("platform", "start")["pid"] in pids
    wait_for(lambda: control_planes(platform) == pids | {master(platform)})
    check_all_there(platform, kept)


def control_planes(platform: Platform) -> set[int]:
    """Returns every process, of masters and control planes, that has the lock file of this platform open."""
    # The platform lets no other process of its user look into it.
    require(sys.platform == "linux" and os.geteuid() == 0, "root on Linux, to see which files the platform has open")
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if descriptor.readlink() == platform.home / "platform.lock":
                found.add(int(descriptor.parts[2]))
    return found


def test_a_stale_socket_file_is_no_obstacle(platform: Platform, kept: list[Deployment]) -> None:
    platform.stop()
    path = platform.home / "platform.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert platform.run("platform", "status")["running"] is False
    platform.run("platform", "start")
    check_all_there(platform, kept)
    platform.stop()
    path.write_text("not even a socket")
    platform.run("platform", "start")
    check_all_there(platform, kept)


def test_a_home_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    platform = Platform(tmp_path / ("long" * 30) / "home")
    # pytest's own folders are too long themselves when several processes run the tests.
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        platform.environment["TMPDIR"] = temporary
        try:
            assert platform.run("platform", "start")["running"]
            (path,) = Path(temporary).glob("homeport-*/platform.sock")
            assert path.parent.stat().st_mode & 0o077 == 0
        finally:
            platform.stop()


def test_an_idle_project_scales_to_zero_and_back(platform: Platform, tmp_path: Path) -> None:
    scaling = f"[scaling]\nidle_s = {IDLE_S}\n"
    url = platform.deploy(with_config(SERVERS / "mcp2_lowlevel", scaling, tmp_path), name="rests").url
    connection = connect(url)
    first = call_on(connection, "whoami")
    wait_for(lambda: count(platform, "rests") == 0)
    assert platform.run("status", "rests")["state"] == "idle"
    # On a connection that was open before: it has waited with the platform, and is not reset.
    descriptor = connection.sock.fileno()
    second = call_on(connection, "whoami")
    assert connection.sock.fileno() == descriptor
    assert second != first
    wait_for(lambda: count(platform, "rests") == 0)
    third = call(url, "whoami")
    assert third not in (first, second)
    wait_for(lambda: count(platform, "rests") == 0)
    assert call_on(connection, "add", a=1, b=2) == "3"
    connection.close()
    platform.run("destroy", "rests")


def count(platform: Platform, name: str) -> int:
    running: int = platform.run("status", name)["workers"]
    return running


def test_a_busy_project_has_more_workers_for_as_long_as_it_is(platform: Platform, tmp_path: Path) -> None:
    scaling = f"[scaling]\nmax = 2\nconcurrency = 1\nidle_s = {IDLE_S}\n"
    url = platform.deploy(with_config(SERVERS / "mcp2_lowlevel", scaling, tmp_path), name="grows").url
    with Load(urlsplit(url).port or 0, 6) as load:
        wait_for(lambda: count(platform, "grows") == 2)
        before = load.answered
        wait_for(lambda: load.answered > before + 100)
        assert count(platform, "grows") == 2, "never more than max"
    assert not load.failures
    wait_for(lambda: count(platform, "grows") == 0)
    assert answers(url)
    platform.run("destroy", "grows")


@pytest.mark.whole
def test_many_projects_that_nobody_calls_cost_nothing(tmp_path: Path) -> None:
    platform = Platform(with_packages(tmp_path / "home"))
    project = with_config(SERVERS / "mcp2_lowlevel", f"[scaling]\nidle_s = {IDLE_S}\n", tmp_path)
    try:
        platform.deploy(project, name="p0")
        platform.stop()
        add_projects(Home(platform.home), MANY - 1)
        platform.run("platform", "start")
        listed = wait_for(lambda: all_idle(platform))
        assert len(listed) == MANY
        assert workers(platform) == set()
        ports = {each["url"] for each in listed}
        assert len(ports) == MANY
        assert resident_mb(control_plane(platform)) < 150
        assert all(asyncio.run(all_answer(sorted(ports)[:: MANY // 10])))
    finally:
        platform.stop()


def add_projects(home: Home, count: int) -> None:
    """Adds projects like p0, as if they had been deployed: in the store, each with a port of its own."""
    store = Store(home.store)
    (release,) = store.releases("p0")
    taken = {store.project("p0").port}
    for number in range(1, count + 1):
        port, listener = open_new_listener(taken, first_port(home.root))
        listener.close()
        taken.add(port)
        store.create_project(f"p{number}", port, "00" * 32, "")
        store.add_release(replace(release, project=f"p{number}"))
        (home.project(f"p{number}") / "files").mkdir(parents=True)
    store.close()


def all_idle(platform: Platform) -> list[dict[str, Any]] | None:
    projects: list[dict[str, Any]] = platform.run("list")["projects"]
    return projects if all(each["state"] == "idle" and each["workers"] == 0 for each in projects) else None


async def all_answer(urls: list[str]) -> list[bool]:
    return await asyncio.gather(*(asyncio.to_thread(answers, url) for url in urls))


def resident_mb(pid: int) -> float:
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(shown.stdout) / 1024
