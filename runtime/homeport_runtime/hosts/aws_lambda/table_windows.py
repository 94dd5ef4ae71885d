"""Counts calls under [limits] in the project's table, over all instances of its function."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from ...aws.dynamodb import Table
from ...aws.errors import AWSError
from ...guard.windows import Bucket, Rate

# The seconds for which a window's item stays after the window's end.
KEPT_S = 3600


class TableWindows:
    """Counts in a DynamoDB table, in windows that begin at multiples of their length.

    Between two such windows up to twice as many calls pass as one allows. Each call takes one write for each rate.
    """

    waits = True

    def __init__(self, table: Table, rates: Sequence[Rate]) -> None:
        self._table = table
        self._rates = tuple(rates)

    def take(self, buckets: Sequence[Bucket]) -> tuple[int, float]:
        now = time.time()
        try:
            for bucket in buckets:
                rate = self._rates[bucket.rate]
                start = int(now // rate.seconds * rate.seconds)
                if self._count(bucket, rate, start) > rate.calls:
                    return bucket.rate, max(start + rate.seconds - now, 0.001)
        except AWSError as problem:
            raise OSError(str(problem)) from problem
        return 0, 0.0

    def _count(self, bucket: Bucket, rate: Rate, start: int) -> int:
        who = hashlib.sha256(f"{bucket.rate}\n{rate}\n{bucket.client}".encode()).hexdigest()[:32]
        counted = self._table.update(
            {"pk": f"limit#{who}", "sk": str(start)},
            "ADD calls :one SET expires = :end",
            {":one": 1, ":end": int(start + rate.seconds + KEPT_S)},
        )
        return int(counted["calls"])
