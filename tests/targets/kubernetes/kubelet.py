"""Leads a connection to a pod's port, as a kubelet does for the stand-in (v4.channel.k8s.io)."""

from __future__ import annotations

import select
import socket
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Ping
from wsproto.utilities import generate_accept_token

DATA, TROUBLE = 0, 1


def lead(handler: BaseHTTPRequestHandler, port: int) -> None:
    """Leads a request for an upgrade to a port of this machine, until one of both sides ends."""
    assert parse_qs(urlsplit(handler.path).query) == {"ports": ["8000"]}
    handler.send_response(101)
    accepted = generate_accept_token(handler.headers["Sec-WebSocket-Key"].encode()).decode()
    for name, value in (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accepted)):
        handler.send_header(name, value)
    handler.send_header("Sec-WebSocket-Protocol", handler.headers["Sec-WebSocket-Protocol"])
    handler.end_headers()
    frames = Connection(ConnectionType.SERVER)
    messages = _Messages(frames)

    def say(channel: int, data: bytes) -> None:
        handler.wfile.write(frames.send(BytesMessage(data=bytes((channel,)) + data)))

    for channel in (DATA, TROUBLE):
        say(channel, (8000).to_bytes(2, "little"))
    with socket.socket() as pod:
        if pod.connect_ex(("127.0.0.1", port)) != 0:
            say(TROUBLE, b"error forwarding port 8000: connection refused")
            return
        # A kubelet asks now and then whether the other side is there.
        handler.wfile.write(frames.send(Ping()))
        while ready := select.select([pod, handler.connection], [], [])[0]:
            side = ready[0]
            data = side.recv(1000)
            if not data:
                return
            if side is pod:
                say(DATA, data)
            else:
                pod.sendall(messages.data_in(data))


class _Messages:
    """Puts together what comes in pieces."""

    def __init__(self, frames: Connection) -> None:
        self._frames = frames
        self._begun = b""

    def data_in(self, piece: bytes) -> bytes:
        """Returns what the other side has sent to the pod in the messages that are complete by now."""
        self._frames.receive_data(piece)
        found = b""
        for event in self._frames.events():
            if isinstance(event, BytesMessage):
                self._begun += event.data
                if event.message_finished:
                    assert self._begun[0] == DATA
                    found, self._begun = found + self._begun[1:], b""
        return found
