"""Tests that what uvicorn writes at once is one write; what stands alone waits for no other."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from homeport_runtime.hosts.joined_writes import MAX_JOINED, JoinedWrites

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recorded:
    """Is the system's side of a connection."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ended = ""

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_write_buffer_size(self) -> int:
        return 0


def joined(recorded: Recorded) -> JoinedWrites:
    return JoinedWrites(cast(asyncio.Transport, recorded), asyncio.get_running_loop())


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ([HEAD, b"body", b""], [HEAD + b"body", b""]),
        ([HEAD, b"first", b"second"], [HEAD + b"first", b"second"]),
        ([HEAD, bytes(MAX_JOINED + 1)], [HEAD, bytes(MAX_JOINED + 1)]),
        ([b"no head"], [b"no head"]),
    ],
)
def test_a_head_goes_out_with_what_follows_it(written: list[bytes], sent: list[bytes]) -> None:
    async def write() -> list[bytes]:
        recorded = Recorded()
        transport = joined(recorded)
        for data in written:
            transport.write(data)
        return recorded.sent

    assert asyncio.run(write()) == sent


def test_a_head_alone_waits_for_the_loop_only() -> None:
    async def write() -> None:
        recorded = Recorded()
        transport = joined(recorded)
        transport.write(HEAD)
        assert (recorded.sent, transport.get_write_buffer_size()) == ([], len(HEAD))
        await asyncio.sleep(0)
        assert (recorded.sent, transport.get_write_buffer_size()) == ([HEAD], 0)

    asyncio.run(write())


def test_what_is_held_goes_out_before_the_end_and_not_after_an_abort() -> None:
    async def end() -> None:
        for end, sent in (("close", [HEAD]), ("abort", [])):
            recorded = Recorded()
            transport = joined(recorded)
            transport.write(HEAD)
            getattr(transport, end)()
            await asyncio.sleep(0)
            assert recorded.sent == sent
            assert transport.is_closing()

    asyncio.run(end())
