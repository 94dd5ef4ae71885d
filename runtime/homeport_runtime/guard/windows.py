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

# A window is words of 8 bytes. It begins with a digest of whose it is, of two words, the time of its last call, and the
# number of all of its calls; then come the times of the last ones.
_WORD = 8
_LAST, _COUNT, _TIMES = 2, 3, 4
_DIGEST = struct.Struct("<QQ")
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
        # Where the windows of each rate start, how many they are, and how many words each has.
        self._tables: list[tuple[int, int, int]] = []
        words = 0
        for rate in self._rates:
            self._tables.append((words, _slots(rate), _slot_words(rate)))
            words += _slots(rate) * _slot_words(rate)
        size = words * _WORD
        self._file = -1 if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if path is not None:
            self._fill(size)
        memory = memoryview(mmap.mmap(self._file, size))
        # The same words as numbers and as times: to read one so takes half as long as to unpack it.
        self._numbers, self._times = memory.cast("Q"), memory.cast("d")
        # Where a client's window was found last, and the digest by which that is checked.
        self._places: dict[Bucket, tuple[int, int, int]] = {}

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
        numbers, times = self._numbers, self._times
        found = []
        full, wait = 0, 0.0
        for bucket in buckets:
            calls, seconds = self._rates[bucket[0]]
            place, first, second = self._places.get(bucket) or self._find(bucket)
            count = numbers[place + _COUNT]
            if numbers[place] != first or numbers[place + 1] != second or not count:
                # Another process has given the place to somebody else.
                place, _, _ = self._find(bucket)
                count = numbers[place + _COUNT]
            # Where the time of the oldest call is, which the new one takes.
            at = place + _TIMES + count % calls
            found.append((place, count, at))
            # A time ahead of now is from before this machine was started anew.
            if count >= calls and times[at] <= now and (needed := times[at] + seconds - now) > wait:
                full, wait = bucket[0], needed
        if wait:
            return full, wait
        for place, count, at in found:
            times[at] = times[place + _LAST] = now
            numbers[place + _COUNT] = count + 1
        return 0, 0.0

    def _find(self, bucket: Bucket) -> tuple[int, int, int]:
        """Returns where a client's window is, after making it if there was none, and its digest."""
        start, slots, width = self._tables[bucket.rate]
        numbers, times = self._numbers, self._times
        first, second = digest = _digest(bucket.client)
        oldest, oldest_at = 0.0, -1
        for step in range(slots):
            place = start + (first + step) % slots * width
            if not numbers[place + _COUNT]:
                oldest_at = place
                break
            if (numbers[place], numbers[place + 1]) == digest:
                if len(self._places) >= MOST_CLIENTS:
                    self._places.clear()
                self._places[bucket] = place, first, second
                return place, first, second
            if oldest_at < 0 or times[place + _LAST] < oldest:
                oldest, oldest_at = times[place + _LAST], place
        numbers[oldest_at], numbers[oldest_at + 1], numbers[oldest_at + _COUNT] = first, second, 0
        times[oldest_at + _LAST] = 0.0
        return oldest_at, first, second


@lru_cache(maxsize=MOST_CLIENTS)
def _digest(client: str) -> tuple[int, int]:
    return _DIGEST.unpack(hashlib.sha256(client.encode("utf-8", "surrogatepass")).digest()[: _DIGEST.size])


def _slot_words(rate: Rate) -> int:
    return _TIMES + rate.calls


def _slots(rate: Rate) -> int:
    return max(FEWEST_CLIENTS, min(MOST_CLIENTS, MOST_BYTES // (_slot_words(rate) * _WORD)))
