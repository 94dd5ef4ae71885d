"""Tests that what is sealed for a session opens for that session alone, unchanged."""

from __future__ import annotations

import pytest

from homeport_runtime.relay.sealing import NotOpened, Seal


@pytest.mark.parametrize("text", [b"", b"x", b"\x00" * 1000, bytes(range(256)) * 5000])
def test_what_is_sealed_is_opened_and_looks_like_nothing(text: bytes) -> None:
    seal = Seal("session")
    closed = seal.close(text)
    assert Seal("session").open(closed) == text
    assert closed != seal.close(text), "the same text is never sealed in the same way"
    assert len(text) < 100 or text not in closed
    assert seal.place != Seal("another").place


def test_nothing_else_is_opened() -> None:
    closed = Seal("session").close(b"text")
    changed = [closed[:place] + bytes([closed[place] ^ 1]) + closed[place + 1 :] for place in range(len(closed))]
    for other in (*changed, closed[:-1], closed[:40], b""):
        with pytest.raises(NotOpened):
            Seal("session").open(other)
    with pytest.raises(NotOpened):
        Seal("another").open(closed)
