"""Counts calls in sliding windows, exactly, over all processes that map the same file.

Each window is a ring of the times of its last calls, of which there are as many as may be made: another call may be
made once the oldest of them is older than the window is long. Taking from one costs some microseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

# A window begins with a digest of whose it is, the time of its last call, and the number of all of its calls.
_HEAD = struct.Struct("<16sdQ")
_LAST_AND_COUNT, _LAST_AT = struct.Struct("<dQ"), 16
_TIME = struct.Struct("<d")
_HEAD_SIZE, _TIME_SIZE = _HEAD.size, _TIME.size
# How many clients one rate can tell apart, and the bytes that their windows may take; then the least recent one is
# forgotten.
MOST_CLIENTS, FEWEST_CLIENTS = 1024, 16
MOST_BYTES = 2 * 1024 * 1024


class Rate(NamedTuple):
    """Allows so many calls in any span of so many seconds."""

    calls: int
    seconds: float


class Bucket(NamedTuple):
    """Is one client's window of a rate, which is named by its index."""

    rate: int
    client: str


class Windows(Protocol):
    """Counts calls, here or elsewhere; `waits` means that it takes a while to ask."""

    waits: bool

    def take(self, buckets: Sequence[Bucket]) -> tuple[int, float]:
        """Takes a call from each bucket, or from none if one is full.

        Returns the index of the rate that is full longest, and the seconds until it is not; 0 and 0.0 if the call may
        be made.
        """
        ...


class SharedWindows:
    """Keeps the windows of some rates in the file at `path`, which all workers of a project map; without one in this
    process alone.

    Raises OSError if the file cannot be used.
    """

    waits = False

    def __init__(self, rates: Sequence[Rate], path: Path | None = None) -> None:
        self._rates = tuple(rates)
        # Where the windows of each rate start, how many they are, and how many bytes each has.
        self._tables: list[tuple[int, int, int]] = []
        size = 0
        for rate in self._rates:
            self._tables.append((size, _slots(rate), _slot_bytes(rate)))
            size += _slots(rate) * _slot_bytes(rate)
        self._file = -1 if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if path is not None:
            self._fill(size)
        self._memory = mmap.mmap(self._file, size)
        # Where a client's window was found last, and the digest by which that is checked.
        self._places: dict[Bucket, tuple[int, bytes]] = {}

    def _fill(self, size: int) -> None:
        """Gives the file its bytes, without holes, since touching one on a full disk raises SIGBUS."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            missing = size - os.fstat(self._file).st_size
            while missing > 0:
                missing -= os.pwrite(self._file, bytes(min(missing, 1 << 20)), size - missing)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def take(self, buckets: Sequence[Bucket]) -> tuple[int, float]:
        if self._file < 0:
            return self._take(buckets, time.monotonic())
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            return self._take(buckets, time.monotonic())
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _take(self, buckets: Sequence[Bucket], now: float) -> tuple[int, float]:
        found = []
        full, wait = 0, 0.0
        for bucket in buckets:
            index = bucket[0]
            place, count = self._find(bucket)
            calls, seconds = self._rates[index]
            # Where the time of the oldest call is, which the new one takes.
            at = place + _HEAD_SIZE + count % calls * _TIME_SIZE
            found.append((place, count, at))
            if count >= calls and (needed := self._wait(at, seconds, now)) > wait:
                full, wait = index, needed
        if wait:
            return full, wait
        for place, count, at in found:
            _TIME.pack_into(self._memory, at, now)
            _LAST_AND_COUNT.pack_into(self._memory, place + _LAST_AT, now, count + 1)
        return 0, 0.0

    def _wait(self, at: int, seconds: float, now: float) -> float:
        """Returns the seconds until a window whose oldest call is `at` has room, 0.0 if it has."""
        oldest: float = _TIME.unpack_from(self._memory, at)[0]
        # A time ahead of now is from before this machine was started anew.
        return max(oldest + seconds - now, 0.0) if oldest <= now else 0.0

    def _find(self, bucket: Bucket) -> tuple[int, int]:
        """Returns where a client's window is, and how many calls it has counted, after making it if there was none."""
        remembered = self._places.get(bucket)
        if remembered is not None:
            place, digest = remembered
            known, _, count = _HEAD.unpack_from(self._memory, place)
            # Another process may have given the place to somebody else.
            if count and known == digest:
                return place, count
        return self._search(bucket)

    def _search(self, bucket: Bucket) -> tuple[int, int]:
        start, slots, width = self._tables[bucket.rate]
        digest = _digest(bucket.client)
        first = int.from_bytes(digest[:4], "little")
        oldest, oldest_at = 0.0, -1
        for step in range(slots):
            place = start + (first + step) % slots * width
            known, last, count = _HEAD.unpack_from(self._memory, place)
            if known == digest and count:
                if len(self._places) >= MOST_CLIENTS:
                    self._places.clear()
                self._places[bucket] = place, digest
                return place, count
            if not count:
                oldest_at = place
                break
            if oldest_at < 0 or last < oldest:
                oldest, oldest_at = last, place
        _HEAD.pack_into(self._memory, oldest_at, digest, 0.0, 0)
        return oldest_at, 0


@lru_cache(maxsize=MOST_CLIENTS)
def _digest(client: str) -> bytes:
    return hashlib.sha256(client.encode("utf-8", "surrogatepass")).digest()[:16]


def _slot_bytes(rate: Rate) -> int:
    return _HEAD.size + rate.calls * _TIME.size


def _slots(rate: Rate) -> int:
    return max(FEWEST_CLIENTS, min(MOST_CLIENTS, MOST_BYTES // _slot_bytes(rate)))
