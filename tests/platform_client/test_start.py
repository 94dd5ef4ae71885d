"""Tests that a command which starts the platform meets one that is just ending."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platform_cli.home import Home
from platform_cli.platform_client.client import PlatformClient

from ..e2e.probing import wait_for


@contextmanager
def ending(home: Home) -> Iterator[None]:
    """Holds the home's lock and socket as a platform does that ends, and answers nothing that is asked."""
    lock = os.open(home.platform_lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)

    def hang_up(listener: socket.socket) -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    with socket.create_server(str(home.socket), family=socket.AF_UNIX) as listener:
        thread = threading.Thread(target=hang_up, args=[listener])
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            home.socket.unlink()
            os.close(lock)


def test_a_platform_that_was_ending_is_followed_by_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path))
    client = PlatformClient(Home(tmp_path))
    with ending(Home(tmp_path)):
        client.begin_start()
        assert client._started is not None
        wait_for(lambda: client._started and client._started.poll() is not None)
    try:
        client.wait_until_running()
        assert client.is_running()
    finally:
        client.stop()
        client._started.wait()
