"""Tests how server-sent events are found in a stream."""

from __future__ import annotations

import pytest

from homeport_runtime.protocol.modern_answer import Events

STREAM = b": here\n\ndata: a\r\ndata: b\r\n\r\nevent: x\rdata: c\r\rid: 1\n\ndata: d"


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_events_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    events = Events()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [found for piece in pieces for found in events.feed(piece)] == [None, b"a\nb", b"c"]
    assert list(events.feed(b"\n\n")) == [b"d"]


def test_an_event_in_many_pieces_is_looked_at_once() -> None:
    events = Events()
    # Looked at from its beginning with each piece this would take hours.
    for _ in range(1_000_000):
        assert not list(events.feed(b"data: "))
    assert len(list(events.feed(b"\n\n"))) == 1
