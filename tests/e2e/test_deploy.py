"""The embedded platform through the command line: releases, files, and what survives when a process dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Deployment, Platform

from .tiny import begin, call, failed, leftovers, new_platform, processes, version_at, wait_for, write_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = new_platform(tmp_path_factory.mktemp("platform"))
    running.environment["AWS_SECRET_ACCESS_KEY"] = "the caller's own"
    yield running
    running.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_server(tmp_path_factory.mktemp("tiny"), "one")


@pytest.fixture(scope="module")
def tiny(platform: Platform, folder: Path) -> Deployment:
    return platform.deploy(folder, name="tiny")


def end(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_what_the_server_writes_outlives_releases(platform: Platform, tmp_path: Path) -> None:
    folder = write_server(tmp_path / "files", "one")
    (folder / "bundled.txt").write_text("bundled in one")
    (folder / "touched.txt").write_text("bundled in one")
    url = platform.deploy(folder, name="files").url
    call(url, "write", path="expenses.json", text="[1]")
    call(url, "write", path=f"{call(url, 'beside')}/beside.db", text="rows")
    call(url, "write", path="touched.txt", text="by the server")
    write_server(folder, "two")
    (folder / "bundled.txt").write_text("bundled in two")
    (folder / "touched.txt").write_text("bundled in two")
    platform.deploy(folder, name="files")
    seen = {name: call(url, "read", path=name) for name in ("expenses.json", "beside.db", "bundled.txt", "touched.txt")}
    assert seen == {
        "expenses.json": "[1]",
        "beside.db": "rows",
        "bundled.txt": "bundled in two",
        "touched.txt": "by the server",
    }
    platform.run("rollback", "files")
    assert (version_at(url), call(url, "read", path="bundled.txt")) == ("one", "bundled in one")
    assert call(url, "read", path="expenses.json") == "[1]"
    platform.run("destroy", "files")


SECOND_LOAD = """
mark = Path(os.environ["MARK"])
if mark.exists():
    {then}
mark.touch()
"""


def test_a_first_deploy_that_fails_leaves_no_project(platform: Platform, tmp_path: Path) -> None:
    fails = SECOND_LOAD.format(then="raise RuntimeError('only once')")
    folder = write_server(tmp_path / "fresh", "one", extra=fails)
    code, _, message, _ = failed(platform, "deploy", str(folder), "--name", "fresh", "--env", f"MARK={tmp_path}/mark")
    assert code == 1
    assert "RuntimeError: only once" in message
    assert failed(platform, "status", "fresh")[:2] == (4, "not-found")
    assert not (platform.home / "projects" / "fresh").exists()
    assert leftovers(platform) == []


def test_a_release_that_does_not_warm_up_is_never_activated(platform: Platform, tmp_path: Path) -> None:
    folder, mark = tmp_path / "warm", tmp_path / "mark"
    write_server(folder, "one", toml=f'[environment]\nMARK = "{mark}"\n')
    (folder / "data.txt").write_text("old")
    first = platform.run("deploy", str(folder), "--name", "warm")
    (folder / "data.txt").write_text("new")
    fails = SECOND_LOAD.format(then="raise RuntimeError('only once')")
    write_server(folder, "two", extra=fails, toml=f'[environment]\nMARK = "{mark}"\n')
    assert failed(platform, "deploy", str(folder), "--name", "warm")[0] == 1
    assert version_at(first["url"]) == "one"
    status = platform.run("status", "warm")
    assert status["release"] == "v1"
    assert "only once" in status["last_error"]
    newest, oldest = platform.run("versions", "warm")["versions"]
    assert (newest["release"], newest["state"], oldest["release"], oldest["state"]) == ("v2", "failed", "v1", "active")
    assert "only once" in newest["error"]
    assert (platform.home / "projects/warm/files/data.txt").read_text() == "old"
    code, category, message, _ = failed(platform, "rollback", "warm", "v2")
    assert (code, category) == (2, "input")
    assert "only once" in message
    assert failed(platform, "rollback", "warm", "v9")[:2] == (4, "not-found")
    write_server(folder, "three")
    assert platform.run("deploy", str(folder), "--name", "warm")["release"] == "v3"
    assert platform.run("status", "warm")["last_error"] is None
    assert platform.run("rollback", "warm")["release"] == "v1"
    platform.run("destroy", "warm")


def test_destroy_leaves_nothing(platform: Platform, tmp_path: Path) -> None:
    url = platform.deploy(write_server(tmp_path / "short", "one"), name="short").url
    pid = int(call(url, "pid"))
    platform.run("destroy", "short")
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    with pytest.raises(ConnectionRefusedError):
        version_at(url)
    assert not (platform.home / "projects" / "short").exists()
    for command in ("status", "versions", "rollback", "destroy", "logs", "tools"):
        assert failed(platform, command, "short")[:2] == (4, "not-found")
    assert failed(platform, "call", "short", "pid")[:2] == (4, "not-found")
    assert failed(platform, "connect", "short", "--client", "cursor")[:2] == (4, "not-found")


def test_names_nobody_chose(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = platform.run("deploy", str(write_server(tmp_path / "a" / "x", "one", name="My Server")))
    assert first["project"] == "my-server"
    other = write_server(tmp_path / "b" / "x", "two", name="My Server")
    code, category, message, hint = failed(platform, "deploy", str(other))
    assert (code, category) == (2, "input")
    assert str(tmp_path / "a" / "x") in message
    assert "--name my-server" in hint
    assert version_at(first["url"]) == "one"
    platform.deploy(other, name="my-server")
    assert version_at(first["url"]) == "two"
    platform.run("destroy", "my-server")


def test_env_unchanged_and_dry_run(platform: Platform, tmp_path: Path) -> None:
    folder = write_server(tmp_path / "env", "one")
    url = platform.deploy(folder, name="env", env={"GREETING": "hello"}).url
    names = call(url, "environment").split()
    assert "GREETING" in names
    assert not {"AWS_SECRET_ACCESS_KEY", "HOMEPORT_HOME"} & set(names)
    again = platform.run("deploy", str(folder), "--name", "env", "--env", "GREETING=hello")
    assert (again["changed"], again["release"]) == (False, "v1")
    write_server(folder, "two")
    plan = platform.run("deploy", str(folder), "--name", "env", "--dry-run")
    assert plan["changed"]
    assert plan["plan"]
    assert version_at(url) == "one"
    assert [v["release"] for v in platform.run("versions", "env")["versions"]] == ["v1"]
    assert failed(platform, "status", "nothing")[0] == 4
    platform.run("deploy", str(folder), "--name", "nothing", "--dry-run")
    assert failed(platform, "status", "nothing")[0] == 4
    platform.run("destroy", "env")


def test_two_deploys_at_the_same_moment(platform: Platform, tmp_path: Path) -> None:
    folders = [write_server(tmp_path / name, name) for name in ("one", "two")]
    commands = [begin(platform, "deploy", str(folder), "--name", "twins") for folder in folders]
    answers = []
    for command in commands:
        stdout, stderr = command.communicate(timeout=120)
        assert command.returncode == 0, stderr
        answers.append(json.loads(stdout))
    assert {answer["release"] for answer in answers} == {"v1", "v2"}
    last = next(name for name, answer in zip(("one", "two"), answers, strict=True) if answer["release"] == "v2")
    assert version_at(answers[0]["url"]) == last
    states = [(v["release"], v["state"]) for v in platform.run("versions", "twins")["versions"]]
    assert states == [("v2", "active"), ("v1", "inactive")]
    platform.run("destroy", "twins")


def test_a_new_project_takes_another_port(platform: Platform, tiny: Deployment, tmp_path: Path) -> None:
    taken = []
    try:
        port = int(tiny.url.rpartition(":")[2])
        for number in range(port + 1, port + 4):
            # It may be another program's already, which is just as well.
            with contextlib.suppress(OSError):
                taken.append(socket.create_server(("127.0.0.1", number)))
        url = platform.deploy(write_server(tmp_path / "next", "one"), name="next").url
        assert version_at(url) == "one"
        assert int(url.rpartition(":")[2]) not in {sock.getsockname()[1] for sock in taken}
    finally:
        for sock in taken:
            sock.close()
    platform.run("destroy", "next")


def test_scale_to_zero_and_back(platform: Platform, tmp_path: Path) -> None:
    folder = write_server(tmp_path / "rests", "one", toml="[scaling]\nidle_s = 1\n")
    url = platform.deploy(folder, name="rests").url
    pid = int(call(url, "pid"))
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    wait_for(lambda: platform.run("status", "rests")["workers"] == 0)
    assert platform.run("status", "rests")["state"] == "idle"
    assert int(call(url, "pid")) != pid
    platform.run("destroy", "rests")


def test_only_the_owner_may_look(platform: Platform, tiny: Deployment) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(platform.home) == 0o700
    assert mode(platform.home / "store.db") == 0o600
    assert mode(platform.home / "platform.sock") == 0o600
    assert sqlite3.connect(platform.home / "store.db").execute("PRAGMA user_version").fetchone()[0] >= 1


def test_a_killed_worker_is_replaced(tiny: Deployment) -> None:
    pid = int(call(tiny.url, "pid"))
    end(pid)
    assert int(wait_for(lambda: call(tiny.url, "pid"))) != pid


def test_a_killed_zygote_is_replaced(platform: Platform, tiny: Deployment, folder: Path) -> None:
    version_at(tiny.url)
    zygotes = {pid for pid in processes(platform.home, "hosts.zygote") if _parent(pid) == _platform_pid(platform)}
    assert zygotes
    end(*zygotes)
    wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in zygotes if _alive(pid)))
    write_server(folder, "after the zygote")
    platform.deploy(folder, name="tiny")
    assert version_at(tiny.url) == "after the zygote"
    again = {pid for pid in processes(platform.home, "hosts.zygote") if _parent(pid) == _platform_pid(platform)}
    assert again
    assert not again & zygotes


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _platform_pid(platform: Platform) -> int:
    pid: int = platform.run("platform", "status")["pid"]
    return pid


def test_a_killed_platform_comes_back(platform: Platform, tiny: Deployment) -> None:
    version = version_at(tiny.url)
    before = processes(platform.home)
    pid = _platform_pid(platform)
    end(pid)
    # The socket file of the dead platform is still there, and its workers still hold the port.
    platform.run("platform", "start")
    assert _platform_pid(platform) != pid
    wait_for(lambda: platform.run("status", "tiny")["state"] != "down")
    assert version_at(tiny.url) == version
    wait_for(lambda: not processes(platform.home) & before)


def test_restart_keeps_ports_releases_and_logs(platform: Platform, tiny: Deployment) -> None:
    version = version_at(tiny.url)
    call(tiny.url, "pid")
    platform.stop()
    assert processes(platform.home) == set()
    commands = [begin(platform, "platform", "start") for _ in range(3)]
    answers = [json.loads(command.communicate(timeout=60)[0]) for command in commands]
    assert len({answer["pid"] for answer in answers}) == 1
    assert platform.run("status", "tiny")["workers"] == 0
    assert version_at(tiny.url) == version
    done = subprocess.run(
        [sys.executable, "-m", "platform_cli", "logs", "tiny", "--json"],
        env=platform.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert any("call" in json.loads(line) for line in done.stdout.splitlines())


def test_a_port_that_another_program_took(platform: Platform, tiny: Deployment, folder: Path, tmp_path: Path) -> None:
    other = platform.deploy(write_server(tmp_path / "other", "one"), name="other").url
    version = version_at(tiny.url)
    platform.stop()
    port = int(tiny.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        platform.run("platform", "start")
        status = platform.run("status", "tiny")
        assert status["state"] == "down"
        assert str(port) in status["last_error"]
        assert version_at(other) == "one"
        code, category, message, hint = failed(platform, "deploy", str(folder), "--name", "tiny")
        assert (code, category) == (1, "platform")
        assert str(port) in message
        assert hint
    wait_for(lambda: platform.run("status", "tiny")["state"] != "down")
    assert platform.run("status", "tiny")["last_error"] is None
    assert version_at(tiny.url) == version
    platform.run("destroy", "other")


def test_a_home_with_a_long_path(tmp_path: Path) -> None:
    platform = new_platform(tmp_path / ("long" * 30))
    platform.environment["TMPDIR"] = str(tmp_path)
    try:
        assert platform.run("platform", "start")["running"]
        assert len(list(tmp_path.glob("homeport-*/platform.sock"))) == 1
        assert next(tmp_path.glob("homeport-*")).stat().st_mode & 0o077 == 0
    finally:
        platform.stop()
