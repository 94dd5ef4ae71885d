"""Tests that answers arrive whole through a Caddy that gets little of a processor, which strace sees to.

Without what the Caddyfile has for it, about every fifth answer here is a head with nothing behind it.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platform_cli.home import Home
from tests.support import Platform, free_port, require, with_config, with_packages

from .test_public_host import DEADLINE_S, OPEN, SERVER, request, running_caddy, until

DOMAIN = "slow.localhost"
REQUESTS = 40
# The answer is an event stream: the head first, and the rest a moment later.
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "slow", "version": "1"}},
}
# The microseconds for which each write of Caddy's returns later.
LATER_US = 20_000


@contextmanager
def slowed(pid: int, log: Path) -> Iterator[None]:
    """Slows the writes of a process down."""
    require(shutil.which("strace"), "strace is not installed")
    delay = f"inject=write:delay_exit={LATER_US}"
    command = ["strace", "-f", "-p", str(pid), "-o", str(log), "-e", "trace=write", "-e", delay]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
        try:
            until(lambda: tracer.poll() is not None or is_traced(pid), "strace does not come to see Caddy")
            if tracer.poll() is not None:
                # What a kernel forbids cannot be installed, in CI either.
                pytest.skip("no process may be traced here")
            yield
        finally:
            tracer.terminate()


def is_traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


def pid_behind(place: Path) -> int:
    """Returns the process that listens on a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(place))
        pid: int = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return pid


def kept_alive(connection: ssl.SSLSocket, message: bytes) -> bytes:
    """Returns the answer to a request whose connection goes on, which is chunked."""
    connection.sendall(message.replace(b"Connection: close", b"Connection: keep-alive"))
    answer = b""
    while not answer.endswith(b"\r\n0\r\n\r\n") and (data := connection.recv(65536)):
        answer += data
    return answer


@pytest.mark.whole
def test_each_answer_arrives_whole(tmp_path: Path) -> None:
    platform = Platform(with_packages(tmp_path / "home"))
    port, name = free_port(), f"one.{DOMAIN}"
    platform.deploy(with_config(SERVER, OPEN, tmp_path), name="one")
    with running_caddy(platform, tmp_path / "data") as authority:
        try:
            platform.run("platform", "start", "--domain", f"{DOMAIN}:{port}")
            trusted = ssl.create_default_context(cafile=str(authority))
            message = request(name, "/mcp", INITIALIZE)
            with slowed(pid_behind(Home(platform.home).caddy_admin), tmp_path / "calls"):
                for _ in range(REQUESTS):
                    plain = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
                    with trusted.wrap_socket(plain, server_hostname=name) as connection:
                        assert b'"result"' in kept_alive(connection, message)
        finally:
            platform.stop()
