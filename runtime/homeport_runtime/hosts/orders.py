"""Transfers orders to a zygote over a socket pair: JSON, one object a line, with file descriptors."""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

MAX_MESSAGE = 1024 * 1024
MAX_FDS = 16


def receive_order(sock: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Returns the next order with its descriptors, None at the end.

    Orders never run together, since each sender waits for the answer before sending another.
    """
    data, descriptors = b"", []
    while not data.endswith(b"\n"):
        part, ancillary, _flags, _address = sock.recvmsg(MAX_MESSAGE, socket.CMSG_LEN(MAX_FDS * 4))
        if not part:
            return None, []
        data += part
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                descriptors += list(numbers)
    order: dict[str, Any] = json.loads(data)
    return order, descriptors


def send_order(sock: socket.socket, order: dict[str, Any], descriptors: Sequence[int]) -> None:
    socket.send_fds(sock, [json.dumps(order).encode() + b"\n"], descriptors)
