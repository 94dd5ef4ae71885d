from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from platform_cli.doctor import machine as doctor
from platform_cli.doctor.machine import (
    check_caddy,
    check_confinement,
    check_disk,
    check_home,
    check_platform,
    check_port,
    check_python,
    check_users,
    check_uv,
)
from platform_cli.errors import BuildError, PlatformError
from platform_cli.home import Home
from platform_cli.isolation import choose_isolation
from platform_cli.platform_client.client import PlatformClient


@pytest.fixture
def home(tmp_path: Path) -> Home:
    tmp_path.chmod(0o700)
    return Home(tmp_path)


@pytest.fixture
def silent_socket(home: Home) -> Iterator[socket.socket]:
    """Listens at the platform's place with a socket that takes connections and never answers."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    home.socket.parent.mkdir(mode=0o700, exist_ok=True)
    listener.bind(str(home.socket))
    listener.listen()
    yield listener
    listener.close()
    home.socket.unlink()


def test_python() -> None:
    assert check_python((3, 11, 0)).status == "ok"
    assert check_python((3, 10, 9)).status == "problem"


def test_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_uv().status == "ok"

    def broken(_args: object) -> str:
        raise BuildError("uv is not installed beside homeport")

    monkeypatch.setattr(doctor, "run_uv", broken)
    assert check_uv().status == "problem"
    assert "not installed" in check_uv().detail


def test_confinement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "means", lambda _home: "namespaces")
    assert check_confinement(tmp_path).status == "ok"
    monkeypatch.setattr(doctor, "means", lambda _home: None)
    assert check_confinement(tmp_path).status == "warning"
    assert "trust" in (check_confinement(tmp_path).fix or "")


def test_servers_of_root_that_strangers_reach(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setattr(doctor, "obstacle", lambda _home: None)
    assert check_users(home).status == "ok", "nobody else reaches them"
    monkeypatch.setattr(PlatformClient, "platform", lambda _self: {"domain": "mcp.example.com"})
    check = check_users(home)
    assert check.status == "warning"
    assert "--isolate users" in (check.fix or "")
    choose_isolation(home, "users")
    assert check_users(home).status == "ok"


@pytest.mark.parametrize("confined_by", ["landlock", None])
def test_what_a_container_takes_from_the_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confined_by: str | None
) -> None:
    monkeypatch.setattr(doctor, "means", lambda _home: confined_by)
    monkeypatch.setenv("container", "oci")
    check = check_confinement(tmp_path)
    assert check.status == "warning"
    assert "seccomp profile" in (check.fix or "")
    assert "sysctl" not in (check.fix or "")


def test_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_port().status == "ok"

    def taken(_taken: object) -> None:
        raise PlatformError("no free port", hint="destroy projects")

    monkeypatch.setattr(doctor, "open_new_listener", taken)
    assert (check_port().status, check_port().fix) == ("problem", "destroy projects")

    def forbidden(_taken: object) -> None:
        raise OSError(errno.EPERM, "not permitted")

    monkeypatch.setattr(doctor, "open_new_listener", forbidden)
    assert check_port().status == "problem"


def test_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_home(home.root).status == "ok"
    home.root.chmod(0o755)
    found = check_home(home.root)
    assert (found.status, found.fix) == ("warning", f"chmod 700 {home.root}")
    someone = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: someone)
    assert check_home(home.root).status == "problem"


@pytest.mark.parametrize(("free", "status"), [(10**12, "ok"), (10**9, "warning"), (10**8, "problem")])
def test_disk(home: Home, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    found = check_disk(home.root)
    assert (found.status, bool(found.fix)) == (status, status != "ok")


def test_no_platform_is_fine(home: Home) -> None:
    home.platform_lock.touch()
    assert check_platform(home).status == "ok"


def test_a_socket_without_a_platform(home: Home, silent_socket: socket.socket) -> None:
    silent_socket.close()
    found = check_platform(home)
    assert (found.status, found.fix) == ("warning", "homeport platform start")


def test_a_platform_that_does_not_answer(
    home: Home, silent_socket: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ANSWER_TIMEOUT_S", 0.1)
    with home.platform_lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = check_platform(home)
    assert found.status == "problem"
    assert str(home.platform_lock) in (found.fix or "")


def test_a_platform_of_another_version(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"version": "0.0.1", "pid": 1, "projects": 0}
    monkeypatch.setattr(PlatformClient, "platform", lambda _self: other)
    assert check_platform(home).status == "warning"
    monkeypatch.setattr(doctor, "__version__", "0.0.1")
    assert check_platform(home).status == "ok"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("2.6.2", "warning"),
        ("v2.11.0 h1:abc=", "warning"),
        ("v2.11.1 h1:abc=", "ok"),
        ("v3.0.0", "ok"),
        ("devel", "ok"),
    ],
)
def test_caddy(version: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CADDY_ADMIN_PORT", 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_caddy().status == "ok"
    program = tmp_path / "caddy"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
    found = check_caddy()
    assert found.status == status
    assert version.split(maxsplit=1)[0] in found.detail


def test_a_caddy_that_takes_orders_from_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "caddy"
    program.write_text("#!/bin/sh\necho v2.11.1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as admin:
        monkeypatch.setattr(doctor, "CADDY_ADMIN_PORT", admin.getsockname()[1])
        assert check_caddy().status == "problem"
