"""Tests listening sockets of projects."""

from __future__ import annotations

import socket

import pytest

from platform_cli.errors import PlatformError
from platform_cli.supervisor.sockets import FIRST_PORT, LAST_PORT, open_listener, open_new_listener


def test_a_taken_port_says_who_could_have_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PlatformError, match=f"port {port} is taken") as caught:
            open_listener(port)
    assert f"lsof -i :{port}" in (caught.value.hint or "")
    open_listener(port).close()


def test_a_new_listener_avoids_ports_of_projects_and_of_others() -> None:
    port, listener = open_new_listener(())
    with listener:
        second, other = open_new_listener({port, port + 1})
    other.close()
    assert port < second <= LAST_PORT
    assert second != port + 1


def test_no_port_left() -> None:
    with pytest.raises(PlatformError, match="no free port") as caught:
        open_new_listener(range(FIRST_PORT, LAST_PORT + 1))
    assert "destroy" in (caught.value.hint or "")
