"""Tests which port the control plane takes on loopback."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from platform_cli.controlplane.settings import Settings
from platform_cli.controlplane.tcp import API_PORTS, open_api
from platform_cli.errors import PlatformError
from platform_cli.supervisor.sockets import first_port


def listened(settings: Settings, home: str) -> int:
    with open_api(settings, Path(home)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_home_keeps_its_port_whatever_another_takes_while_it_is_stopped() -> None:
    one, other = "/home/ada", "/home/grace"
    assert first_port(Path(one)) % len(API_PORTS) != first_port(Path(other)) % len(API_PORTS)
    with closing(sqlite3.connect(":memory:")) as db, closing(sqlite3.connect(":memory:")) as another_db:
        settings = Settings(db)
        port = listened(settings, one)
        with open_api(Settings(another_db), Path(other)):
            assert listened(settings, one) == port
    assert port in API_PORTS


def test_another_port_where_the_own_one_is_taken() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        settings = Settings(db)
        with open_api(settings, Path("/home/ada")) as listener:
            port = listener.getsockname()[1]
            another = listened(settings, "/home/ada")
        assert another != port
        assert settings.get("api_port") == str(another)


def test_no_port_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(port: int) -> None:
        raise PlatformError(f"port {port} is taken")

    monkeypatch.setattr("platform_cli.controlplane.tcp.open_listener", taken)
    with closing(sqlite3.connect(":memory:")) as db, pytest.raises(PlatformError, match="no free port between 8600"):
        listened(Settings(db), "/home/ada")
