"""Limits how long a worker waits for clients that send a request slowly, or do not read their answer.

Such a client costs memory and a descriptor here, and itself nothing. The rule is that of Apache's mod_reqtimeout (20
seconds, and one more for each 500 bytes), for requests as for answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from .http_connection import Connection, Progress

# The seconds that a request, or an answer, may take in any case, and the bytes that earn another second.
PATIENCE_S = 20.0
RATE = 500
# The seconds after which a client is slow, and counts against the limits below.
SLOW_S = 3.0
# The most slow clients of one address.
MOST_OF_ONE_PEER = 100
# The bytes that all slow clients may leave unread. The objects that an answer was made from can be several times as
# large.
MOST_UNREAD = 32 * 1024 * 1024


@dataclass(frozen=True)
class Wait:
    """Says since when a client has been waited for, and its progress at that time."""

    since: float
    start: Progress

    def seconds_left(self, now: float, moved: int) -> float:
        return PATIENCE_S + (moved - self.start.moved) / RATE - (now - self.since)


class Patience:
    def __init__(self) -> None:
        self._waits: dict[Connection, Wait] = {}

    def exhausted(self, connections: Iterable[Connection], now: float) -> set[Connection]:
        """Returns those of all open `connections` to close at the time `now` (seconds of the event loop)."""
        late, slow = set(), []
        waits: dict[Connection, Wait] = {}
        for connection in connections:
            progress = connection.progress()
            if progress is None:
                continue
            known = self._waits.get(connection)
            wait = known if known and _is_same(known.start, progress) else Wait(now, progress)
            waits[connection] = wait
            if wait.seconds_left(now, progress.moved) < 0:
                late.add(connection)
            elif now - wait.since >= SLOW_S:
                slow.append(connection)
        self._waits = waits
        # The newest first, so that the oldest exceed the limits.
        slow.sort(key=lambda connection: -waits[connection].since)
        return late | _beyond_their_share(slow) | _beyond_memory(slow)


def _is_same(start: Progress, now: Progress) -> bool:
    return start[:2] == now[:2]


def _beyond_their_share(slow: Iterable[Connection]) -> set[Connection]:
    of_peer: defaultdict[str, list[Connection]] = defaultdict(list)
    for connection in slow:
        of_peer[connection.peer()].append(connection)
    return {connection for own in of_peer.values() for connection in own[MOST_OF_ONE_PEER:]}


def _beyond_memory(slow: Iterable[Connection]) -> set[Connection]:
    beyond, unread = set(), 0
    for connection in slow:
        unread += connection.unread
        if unread > MOST_UNREAD:
            beyond.add(connection)
    return beyond
