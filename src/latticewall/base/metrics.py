"""What metrics are made of: the series that a value belongs to, and the statistics of some values.

Values themselves are not kept: their count, sum, smallest, largest, and how many lie in each of a row of buckets whose borders grow by one percent, so that
percentiles are right to one percent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

GROWTH = math.log(1.01)
_LEAST = 1e-9


class Series(NamedTuple):
    """What a metric's points belong to. dimensions: sorted (name, value) pairs."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str


@dataclass
class Statistics:
    """Of the values of some time. spread: how many values lie in each bucket."""

    count: float = 0.0
    sum: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    spread: dict[int, float] = field(default_factory=dict)

    def add(self, value: float, count: float = 1.0) -> None:
        """The same value, so many times."""
        self.count += count
        self.sum += value * count
        self.minimum, self.maximum = min(self.minimum, value), max(self.maximum, value)
        bucket = bucket_of(value)
        self.spread[bucket] = self.spread.get(bucket, 0.0) + count

    def merge(self, other: Statistics) -> None:
        self.count += other.count
        self.sum += other.sum
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        for bucket, count in other.spread.items():
            self.spread[bucket] = self.spread.get(bucket, 0.0) + count

    def percentile(self, percent: float) -> float:
        """The value that this share of all values does not exceed."""
        wanted, seen = self.count * percent / 100, 0.0
        for bucket in sorted(self.spread):
            seen += self.spread[bucket]
            if seen >= wanted - 1e-9:
                return min(max(middle_of(bucket), self.minimum), self.maximum)
        return self.maximum


def bucket_of(value: float) -> int:
    """0 for what is next to nothing; positive values above it, negative ones below."""
    if abs(value) <= _LEAST:
        return 0
    place = 1 + max(0, math.floor(math.log(abs(value) / _LEAST) / GROWTH))
    return place if value > 0 else -place


def middle_of(bucket: int) -> float:
    if bucket == 0:
        return 0.0
    return math.copysign(_LEAST * math.exp((abs(bucket) - 0.5) * GROWTH), bucket)
