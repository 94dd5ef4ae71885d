"""Stands in for an engine whose containers run in a virtual machine, as Docker Desktop's do.

It passes requests on to a real engine in another network namespace. Of the folder with the platform's socket a
container sees a copy: files are there, but no socket, or one that passes data alone. Published ports are forwarded to
this machine's loopback.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from platform_cli.supervisor.container_spec import SOCKET, SOCKET_FOLDER

from .engines import Dockerd, dockerd
from .other_network import OtherNetwork, forward

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length")


@contextlib.contextmanager
def desktop(folder: Path, *, passes_data: bool) -> Iterator[str]:
    """Runs an engine, and yields what DOCKER_HOST has to be to ask it as that of a virtual machine."""
    address = folder / "desktop.sock"
    with (
        dockerd(folder) as engine,
        contextlib.closing(_Machine(engine, folder / "shared", passes_data=passes_data)) as machine,
    ):

        class Handler(_Handler):
            behind = machine

        with _Server(str(address), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"unix://{address}"
            finally:
                server.shutdown()
                thread.join()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class _Machine:
    """Is what lies between this machine and the engine."""

    def __init__(self, engine: Dockerd, shared: Path, *, passes_data: bool) -> None:
        self.socket = engine.address.removeprefix("unix://")
        self._shared = shared
        self._passes_data = passes_data
        self._network = OtherNetwork(engine.pid)
        self._sockets: list[socket.socket] = []

    def close(self) -> None:
        self._network.close()
        for each in self._sockets:
            # Whoever waits for a connection wakes.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def share(self, body: dict[str, Any]) -> None:
        """Replaces the folder with the platform's socket by its copy."""
        for mount in body["HostConfig"].get("Mounts") or ():
            if mount["Target"] == SOCKET_FOLDER:
                original, copy = Path(mount["Source"]), self._shared / Path(mount["Source"]).name
                copy.mkdir(parents=True)
                copy.chmod(0o711)
                for each in original.iterdir():
                    if each.is_file():
                        shutil.copy(each, copy)
                    elif self._passes_data:
                        self._pass_data(copy / each.name, original)
                mount["Source"] = str(copy)

    def _pass_data(self, path: Path, original: Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        opened = [os.open(folder, os.O_PATH) for folder in (path.parent, original)]
        listener.bind(f"/proc/self/fd/{opened[0]}/{SOCKET}")
        path.chmod(0o666)
        listener.listen()
        self._sockets.append(listener)

        def connect() -> socket.socket:
            there = socket.socket(socket.AF_UNIX)
            there.connect(f"/proc/self/fd/{opened[1]}/{SOCKET}")
            return there

        threading.Thread(target=forward, args=(listener, connect), daemon=True).start()

    def publish(self, ports: dict[str, list[dict[str, str]] | None]) -> None:
        """Replaces the engine's ports by those of this machine that lead to them."""
        for published in filter(None, ports.values()):
            port = self._network.forwarded("127.0.0.1", int(published[0]["HostPort"]))
            published[0]["HostPort"] = str(port)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behind: _Machine

    def _pass_on(self) -> None:
        body = self._body()
        if "/containers/create" in self.path:
            made = json.loads(body)
            self.behind.share(made)
            body = json.dumps(made).encode()
        status, headers, answer = self._asked(body)
        if self.path.endswith("/json") and b'"NetworkSettings"' in answer and answer.startswith(b"{"):
            inspected = json.loads(answer)
            self.behind.publish(inspected["NetworkSettings"]["Ports"] or {})
            answer = json.dumps(inspected).encode()
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - the names are those of http.server

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self.behind.socket)
        with contextlib.closing(connection):
            sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(self.command, self.path, body or None, sent)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def log_message(self, *_arguments: Any) -> None:
        """Says nothing."""
