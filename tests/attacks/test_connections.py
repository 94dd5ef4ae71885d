"""Tests clients that hold connections: nobody else waits for them, and all goes on by itself when they have gone."""

from __future__ import annotations

import http.client
import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from homeport_runtime.hosts.patience import MOST_OF_ONE_PEER, MOST_UNREAD

from ..e2e.probing import DEADLINE_S, HEADERS, call, call_on, connect, control_plane, wait_for
from ..support import ROOT, SERVERS, Platform, with_config, with_packages

SLEEPS = "\n[scaling]\nidle_s = 1\n"
# The descriptors that the control plane may open; macOS gives 256.
OPEN_FILES = 256
HELD = 200
# The bytes of an answer that nobody reads.
UNREAD = 16 * 1024 * 1024


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Runs a platform whose control plane may have few descriptors."""
    platform = Platform(with_packages(tmp_path_factory.mktemp("connections") / "home"))
    limited = f'ulimit -n {OPEN_FILES}; exec "$@"'
    process = subprocess.Popen(
        ["sh", "-c", limited, "sh", sys.executable, "-m", "platform_cli.controlplane.master"],
        cwd=ROOT,
        env=platform.environment,
    )
    wait_for((platform.home / "platform.sock").exists)
    yield platform
    platform.stop()
    process.wait(DEADLINE_S)


def hold(port_of: http.client.HTTPConnection, opened: ExitStack) -> http.client.HTTPConnection:
    """Opens a connection on which one call was answered, and which stays open."""
    connection = http.client.HTTPConnection(port_of.host, port_of.port, timeout=DEADLINE_S)
    opened.callback(connection.close)
    assert call_on(connection, "add", a=1, b=2) == "3"
    return connection


def test_idle_connections_to_sleeping_projects_stop_nobody(platform: Platform, tmp_path: Path) -> None:
    folder = with_config(SERVERS / "mcp2_lowlevel", SLEEPS, tmp_path)
    crowded = [platform.deploy(folder, name=f"crowded-{number}") for number in range(2)]
    other = platform.deploy(folder, name="other")
    plane = control_plane(platform)
    with ExitStack() as opened:
        held = {each.project: [hold(connect(each.url), opened) for _ in range(HELD)] for each in crowded}
        for each in (*crowded, other):
            wait_for(partial(is_asleep, platform, each.project))
        assert call(other.url, "add", a=20, b=22) == "42"
        for each in crowded:
            assert call(each.url, "add", a=20, b=22) == "42"
            # The oldest were closed, and the newest are served as if nothing had been.
            assert call_on(held[each.project][-1], "add", a=1, b=2) == "3"
            with pytest.raises((OSError, http.client.HTTPException)):
                post(held[each.project][0])
    assert control_plane(platform) == plane
    assert {each["state"] for each in platform.run("list")["projects"]} <= {"running", "idle"}


def is_asleep(platform: Platform, project: str) -> bool:
    return bool(platform.api.status(project)["workers"] == 0)


def post(connection: http.client.HTTPConnection) -> None:
    """Asks on this very connection: http.client would open another one."""
    assert isinstance(connection.sock, socket.socket)
    connection.auto_open = 0
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    connection.request("POST", "/mcp", json.dumps(body), HEADERS)
    connection.getresponse().read()


def request(tool: str) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    body = json.dumps(message).encode()
    head = [f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"]
    head += [f"{name}: {value}\r\n" for name, value in HEADERS.items()]
    return "".join(head).encode() + b"\r\n" + body


def open_sockets(url: str, count: int, said: bytes, opened: ExitStack) -> list[socket.socket]:
    """Opens `count` connections on which the client has sent `said`, and reads nothing."""
    made = []
    for _ in range(count):
        client = opened.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", urlsplit(url).port))
        client.sendall(said)
        client.setblocking(False)
        made.append(client)
    return made


def are_closed(clients: list[socket.socket], least: int) -> bool:
    return sum(map(is_closed, clients)) >= least


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_one_peer_has_a_bounded_number_of_requests_that_never_end(platform: Platform, tmp_path: Path) -> None:
    """In time the others are closed, too (tests/runtime/hosts/test_patience.py): drop by drop is no way to stay."""
    folder = with_config(SERVERS / "mcp2_lowlevel", "", tmp_path)
    slow = {
        platform.deploy(folder, name="slow-head").url: b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        platform.deploy(folder, name="slow-body").url: request("add")[:-1],
    }
    with ExitStack() as opened:
        clients = {url: open_sockets(url, MOST_OF_ONE_PEER + 20, said, opened) for url, said in slow.items()}
        for url, theirs in clients.items():
            wait_for(partial(are_closed, theirs, 20))
            assert call(url, "add", a=20, b=22) == "42"


def test_one_peer_has_a_bounded_number_of_orders_to_the_platform_that_never_end(platform: Platform) -> None:
    address = platform.run("platform", "status")["api_url"]
    with ExitStack() as opened:
        clients = open_sockets(address, MOST_OF_ONE_PEER + 20, b"GET /v1/platform HTTP/1.1\r\nX-Slow: ", opened)
        wait_for(lambda: sum(map(is_closed, clients)) == 20)


def test_answers_that_nobody_reads_take_bounded_memory(platform: Platform, tmp_path: Path) -> None:
    url = platform.deploy(with_config(SERVERS / "mcp2_lowlevel", "", tmp_path), name="unread").url
    (platform.home / "projects" / "unread" / "files" / "notes.txt").write_text("z" * UNREAD)
    with ExitStack() as opened:
        clients = open_sockets(url, 8, request("recall"), opened)
        wait_for(lambda: sum(map(is_reset, clients)) >= len(clients) - MOST_UNREAD // UNREAD - 1)
        assert call(url, "add", a=20, b=22) == "42"


def is_reset(client: socket.socket) -> bool:
    """Tells whether the connection was reset; what came before its end can still be read."""
    poll = select.poll()
    poll.register(client, 0)
    return bool(poll.poll(0))
