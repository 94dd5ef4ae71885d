"""Tests a server that looks for the orders of Caddy: whoever gives them has every project's traffic and tokens."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport_runtime.hosts.confinement import can_hide
from platform_cli.home import Home
from tests.e2e.probing import call
from tests.e2e.test_public_host import running_caddy
from tests.support import Platform, free_port, require, with_packages

DOMAIN = "attacked.localhost"
# The state of a socket in /proc/net/tcp (proc_pid_net(5)).
LISTENS = "0A"
SERVER = '''
import socket

from mcp.server import MCPServer

mcp = MCPServer("intruder")
ASK = b"GET /config/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n"


def answer(family, address, host):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(0.5)
        try:
            connection.connect(address)
            connection.sendall(ASK % host)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return b""


@mcp.tool()
def over_tcp(ports: list[int], secret: str) -> str:
    """Those at which a configuration with `secret` in it is told."""
    told = [p for p in ports if secret.encode() in answer(socket.AF_INET, ("127.0.0.1", p), b"localhost:%d" % p)]
    return f"told by {told}"


@mcp.tool()
def over_socket(path: str) -> str:
    return "told" if answer(socket.AF_UNIX, path, b"") else "refused"


if __name__ == "__main__":
    mcp.run()
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Runs a platform behind a Caddy, with a hostile server on it."""
    folder = tmp_path_factory.mktemp("intruder")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "fastmcp.toml").write_text('[auth]\nmode = "none"\n')
    platform = Platform(with_packages(tmp_path_factory.mktemp("home")))
    with running_caddy(platform, platform.home.parent / "caddy"):
        try:
            platform.deploy(folder, name="intruder")
            platform.run("platform", "start", "--domain", f"{DOMAIN}:{free_port()}")
            yield platform
        finally:
            platform.stop()


def url_of(platform: Platform) -> str:
    return str(platform.run("status", "intruder")["local_url"])


def ports_of_caddy(platform: Platform) -> list[int]:
    """Returns the ports at which Caddy listens, its default port for orders among them if it does there."""
    folder = platform.home.parent / "caddy"
    opened: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == folder:
                opened |= {str(descriptor.readlink()) for descriptor in (process / "fd").iterdir()}
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return sorted(
        {int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in opened and row[3] == LISTENS}
    )


def test_no_port_takes_orders_for_caddy(platform: Platform) -> None:
    ports = ports_of_caddy(platform)
    require(bool(ports), "a system on which the ports of a process are told")
    assert call(url_of(platform), "over_tcp", ports=ports, secret=DOMAIN) == "told by []"


def test_no_server_sees_the_socket_that_does(platform: Platform) -> None:
    require(can_hide(platform.home), "nothing hides folders on this machine")
    admin = Home(platform.home).caddy_admin
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect(str(admin))
    assert call(url_of(platform), "over_socket", path=str(admin)) == "refused"
