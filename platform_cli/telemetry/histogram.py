"""Counts durations in buckets that grow by a tenth, so that a percentile is right within 5 %."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

# The upper end of the first bucket in milliseconds, by how much each is larger than the one before, and the last one,
# which ends after five hours.
FIRST_MS, GROWTH, LAST = 0.1, 1.1, 199
_LOG = math.log(GROWTH)
# The formats of `struct` in which counts are packed, by the bytes that each takes.
_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def bucket_of(ms: float) -> int:
    """Returns the number of the bucket for a duration in milliseconds."""
    if ms <= FIRST_MS:
        return 0
    return min(math.ceil(math.log(ms / FIRST_MS) / _LOG), LAST)


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """Returns the milliseconds within which `share` (0 to 1) of the durations are, None without any."""
    rank = math.ceil(sum(buckets.values()) * share)
    if not rank:
        return None
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return FIRST_MS * GROWTH ** (bucket - 0.5) if bucket else FIRST_MS / 2
    raise AssertionError(share)


def pack(buckets: Mapping[int, int]) -> bytes:
    """Returns a histogram as bytes: how many a count takes, the buckets, and the counts in their order."""
    width = next((width for width in (1, 2, 4) if max(buckets.values(), default=0) < 256**width), 8)
    size = len(buckets)
    return struct.pack(f"<B{size}B{size}{_FORMATS[width]}", width, *buckets, *buckets.values())


def unpack(packed: bytes) -> dict[int, int]:
    """Returns the histogram that `pack` has packed."""
    width = packed[0]
    size = (len(packed) - 1) // (1 + width)
    counts = struct.unpack_from(f"<{size}{_FORMATS[width]}", packed, 1 + size)
    return dict(zip(packed[1 : 1 + size], counts, strict=True))
