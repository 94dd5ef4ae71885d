"""Speaks HTTP/1.1 (RFC 9112) to the Runtime API, over one connection that stays open.

A function needs little of http.client, whose import takes a fifth of the time to a first recorded answer, and which
reads every answer with a parser of e-mail.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from io import BufferedReader
from typing import NamedTuple


class Reply(NamedTuple):
    """Is an answer; names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """Is a blocking connection to `address` (`host:port`), which raises ConnectionError when the other side has closed
    it.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._replies: BufferedReader | None = None

    def send(self, data: bytes | bytearray) -> None:
        if self._socket is None:
            host, _, port = self._address.rpartition(":")
            self._socket = socket.socket()
            self._socket.connect((host, int(port)))
            # Each piece of an answer is sent at once.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._replies = self._socket.makefile("rb")
        self._socket.sendall(data)

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """Returns the first lines of a request."""
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\nHost: {self._address}\r\n{fields}\r\n".encode("latin-1", "replace")

    def reply(self) -> Reply:
        """Returns the answer to the request that was sent."""
        status = int(self._line().split(b" ", 2)[1])
        headers = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip(" \t")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self._read(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Reply(status, headers, body)

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        if self._socket is not None and self._replies is not None:
            self._replies.close()
            self._socket.close()
        self._socket = self._replies = None

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._line().partition(b";")[0], 16):
            body += self._read(size)
            self._line()
        while self._line():
            pass  # trailers
        return body

    def _line(self) -> bytes:
        line = self._replies.readline() if self._replies is not None else b""
        if not line.endswith(b"\n"):
            raise ConnectionError("the Runtime API has closed the connection")
        return line.rstrip(b"\r\n")

    def _read(self, size: int) -> bytes:
        data = self._replies.read(size) if self._replies is not None else b""
        if len(data) < size:
            raise ConnectionError("the Runtime API has closed the connection")
        return data
