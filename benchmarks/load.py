"""The load client, a process of its own: PORT WAY CONNECTIONS SECONDS CPU, the way as JSON; prints rate, p50 and p99 as
JSON.

Keep-alive connections on one selector: each sends its next call when the answer to the last is complete. Each has a
session of its own if there are sessions.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass

from .calls import Way, complete, request, right


@dataclass(slots=True)
class Connection:
    sock: socket.socket
    message: bytes
    sent_at: float = 0.0
    answer: bytes = b""

    def send(self) -> None:
        self.answer = b""
        self.sent_at = time.perf_counter()
        self.sock.sendall(self.message)


def connect(port: int, way: Way) -> Connection:
    sock = socket.create_connection(("127.0.0.1", port), 30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(sock, request(port, way))


def load(port: int, way: Way, connections: int, seconds: float) -> tuple[list[float], float]:
    """The latencies of all calls answered within `seconds`, sorted, and the seconds that it took in truth: until there
    is an answer at all. Raises SystemExit on a wrong answer.
    """
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        opened = [connect(port, way) for _ in range(connections)]
        for connection in opened:
            selector.register(connection.sock, selectors.EVENT_READ, connection)
        begun = time.perf_counter()
        for connection in opened:
            connection.send()
        while (spent := time.perf_counter() - begun) < seconds or not latencies:
            for key, _events in selector.select(max(seconds - spent, 1)):
                connection = key.data
                part = connection.sock.recv(65536)
                connection.answer += part
                if complete(connection.answer) and right(connection.answer):
                    latencies.append(time.perf_counter() - connection.sent_at)
                    connection.send()
                elif not part or complete(connection.answer):
                    raise SystemExit(f"a wrong answer: {connection.answer!r}")
        for connection in opened:
            connection.sock.close()
    return sorted(latencies), spent


def main() -> None:
    port, way, connections, seconds, cpu = sys.argv[1:]
    if cpu != "any":
        os.sched_setaffinity(0, {int(cpu)})
    latencies, spent = load(int(port), Way(**json.loads(way)), int(connections), float(seconds))
    result = {
        "calls": len(latencies),
        "rate": len(latencies) / spent,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
