"""Clients that never stop asking: keep-alive connections and new ones, over raw HTTP, each answer checked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

PAUSE_S = 0.003
ANSWER_S = 30.0


@dataclass
class Load:
    """Asks with `clients` until `stop`; every fourth opens a connection for each request. It is a context manager."""

    port: int
    clients: int
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stopped = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped = True
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, number: int) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        asked = 0
        while not self._stopped:
            asked += 1
            try:
                connection = connection or await asyncio.open_connection("127.0.0.1", self.port)
                closing = await asyncio.wait_for(self._ask(*connection, number, asked), ANSWER_S)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.failures[repr(error)] += 1
                closing = True
            if connection and (closing or number % 4 == 3):
                connection[1].close()
                with contextlib.suppress(OSError):
                    await connection[1].wait_closed()
                connection = None
            await asyncio.sleep(PAUSE_S)
        if connection:
            connection[1].close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, asked: int) -> bool:
        """Makes one call, and tells whether the server closes the connection. Raises ValueError for a wrong answer."""
        call: dict[str, Any] = {"name": "add", "arguments": {"a": number * 1_000_000, "b": asked}}
        body = json.dumps({"jsonrpc": "2.0", "id": asked, "method": "tools/call", "params": call}).encode()
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer_head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = await _body(reader, answer_head)
        if not answer_head.startswith(b"http/1.1 200") or str(number * 1_000_000 + asked).encode() not in answer:
            raise ValueError(f"{answer_head[:20]!r} {answer[:200]!r}")
        self.answered += 1
        return b"connection: close" in answer_head


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head:
        return await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    chunks = b""
    while size := int(await reader.readline(), 16):
        chunks += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return chunks
