"""Tests that a command which starts the platform meets one that is just ending."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from platform_cli import __version__
from platform_cli.api.version import API_VERSION
from platform_cli.home import Home
from platform_cli.platform_client import lifecycle
from platform_cli.platform_client.client import PlatformClient

from ..e2e.probing import wait_for


@contextmanager
def accepting(home: Home, take: Callable[[socket.socket], None]) -> Iterator[None]:
    """Listens on the home's socket, and closes each connection once `take` has had it."""

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                take(connection)

    with socket.create_server(str(home.socket), family=socket.AF_UNIX) as listener:
        thread = threading.Thread(target=accept, args=[listener])
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            home.socket.unlink()


@contextmanager
def ending(home: Home) -> Iterator[None]:
    """Holds the home's lock and socket as a platform does that ends, and answers nothing that is asked."""
    lock = os.open(home.platform_lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with accepting(home, lambda _connection: None):
            yield
    finally:
        os.close(lock)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlatformClient]:
    monkeypatch.setenv("HOMEPORT_HOME", str(tmp_path))
    client = PlatformClient(Home(tmp_path))
    yield client
    client.stop()
    if client._started is not None:
        client._started.wait()


def test_a_platform_that_does_not_answer_and_ends_is_followed_by_a_new_one(
    client: PlatformClient, tmp_path: Path
) -> None:
    with ending(Home(tmp_path)):
        client.begin_start()
        wait_for(lambda: client._started is not None and client._started.poll() is not None)
    client.wait_until_running()
    assert client.is_running()


def test_a_platform_that_answers_and_ends_then_is_followed_by_a_new_one(
    client: PlatformClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(PlatformClient, "platform", lambda _: {"version": __version__, "api": API_VERSION})
        client.begin_start()
    assert client._started is None
    client.wait_until_running()
    assert client.is_running()


@contextmanager
def answering(home: Home, asked: list[bytes]) -> Iterator[None]:
    """Answers as a platform, and notes what is asked; it has ended when the block ends."""
    body = json.dumps({"version": __version__, "api": API_VERSION}).encode()

    def answer(connection: socket.socket) -> None:
        if request := connection.recv(65536):
            asked.append(request.partition(b" HTTP")[0])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with accepting(home, answer):
        yield


def test_one_that_has_just_answered_is_not_asked_again_unless_it_has_ended(
    client: PlatformClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "ANSWERED_S", 60.0)
    asked: list[bytes] = []
    with answering(Home(tmp_path), asked):
        client.begin_start()
        client.wait_until_running()
    assert asked == [b"GET /v1/platform"]
    client.wait_until_running()
    assert client._started is not None
    assert client.is_running()
