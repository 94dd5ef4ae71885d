"""Sums up what is read of operations: how many there were, how they ended, and how long they took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

from ..api.metrics import MetricsRow, MetricsStep
from .histogram import percentile
from .operation import OK

# What is summed up together: the operations of a method, a tool, a client and a release.
Key = tuple[str, int, int, int]
# How many durations there are of each bucket.
Buckets = dict[int, int]


class Row(NamedTuple):
    """Holds operations of one step that have `key` and kind in common."""

    key: Key
    kind: str
    step: int
    n: int
    cold: int
    bytes_in: int
    bytes_out: int
    buckets: Buckets


@dataclass
class Sum:
    """Sums up operations, and counts them by step."""

    steps: int
    kinds: Counter[str] = field(default_factory=Counter)
    buckets: Buckets = field(default_factory=dict)
    cold: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    series: list[int] = field(init=False)
    failures: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.series, self.failures = [0] * self.steps, [0] * self.steps

    def count(self, row: Row) -> None:
        self.kinds[row.kind] += row.n
        self.cold += row.cold
        self.bytes_in += row.bytes_in
        self.bytes_out += row.bytes_out
        self.series[row.step] += row.n
        self.failures[row.step] += row.n if row.kind != OK else 0
        add_buckets(self.buckets, row.buckets)

    def add(self, other: Sum) -> None:
        self.kinds.update(other.kinds)
        add_buckets(self.buckets, other.buckets)
        self.cold += other.cold
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.series = [mine + its for mine, its in zip(self.series, other.series, strict=True)]
        self.failures = [mine + its for mine, its in zip(self.failures, other.failures, strict=True)]

    def row(self, key: str | None) -> MetricsRow:
        return {
            "key": key,
            "operations": self.kinds.total(),
            "failed": self.kinds.total() - self.kinds[OK],
            "kinds": by_number(self.kinds),
            **_percentiles(self.buckets),
            "cold": self.cold,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "series": self.series,
            "failures": self.failures,
        }


@dataclass
class Step:
    """Sums up the operations of one step of a period."""

    kinds: Counter[str] = field(default_factory=Counter)
    buckets: Buckets = field(default_factory=dict)

    def data(self) -> MetricsStep:
        return {"kinds": by_number(self.kinds), **_percentiles(self.buckets)}


def add_buckets(buckets: Buckets, more: Buckets) -> None:
    """Adds the durations of `more` to those of `buckets`."""
    for bucket, count in more.items():
        buckets[bucket] = buckets.get(bucket, 0) + count


class _Percentiles(TypedDict):
    p50: float | None
    p95: float | None
    p99: float | None


def _percentiles(buckets: Buckets) -> _Percentiles:
    return {
        "p50": _rounded(percentile(buckets, 0.5)),
        "p95": _rounded(percentile(buckets, 0.95)),
        "p99": _rounded(percentile(buckets, 0.99)),
    }


def by_number(kinds: Counter[str]) -> dict[str, int]:
    """Returns how many operations ended in each way, the most frequent first."""
    return {kind: count for kind, count in kinds.most_common() if count}


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
