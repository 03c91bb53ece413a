"""Metric data: one row per metric, dimensions, unit and minute, kept for as long as CloudWatch keeps one-minute points.

Values themselves are not kept: their count, sum, smallest, largest, and how many lie in each of a row of buckets whose borders grow by one percent, so that
percentiles are right to one percent.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

RETENTION_MINUTES = 15 * 24 * 60
"""CloudWatch keeps data points of one minute for 15 days."""
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


class Metrics:
    """The table `metric` through one connection. Minutes are counted from the epoch."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, points: Mapping[tuple[Series, int], Statistics]) -> None:
        """Merge points into what is there."""
        for (series, minute), added in points.items():
            account, region, namespace, name, dimensions, unit = series
            key = (account, region, namespace, name, json.dumps(dimensions), minute, unit)
            found = self._db.execute(
                "SELECT count, sum, minimum, maximum, spread FROM metric WHERE account = ? AND region = ? AND namespace = ? AND name = ?"
                " AND dimensions = ? AND minute = ? AND unit = ?", key,
            ).fetchone()  # fmt: skip
            total = _statistics(found) if found else Statistics()
            total.merge(added)
            values = (*key, total.count, total.sum, total.minimum, total.maximum, json.dumps(total.spread))
            self._db.execute(f"INSERT OR REPLACE INTO metric VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608 - question marks

    def series(self, account: str, region: str, namespace: str = "", name: str = "", since: int = 0) -> list[Series]:
        """What has points in or after a minute; empty texts do not restrict."""
        query = """SELECT DISTINCT account, region, namespace, name, dimensions, unit FROM metric
                   WHERE account = ? AND region = ? AND (? = '' OR namespace = ?) AND (? = '' OR name = ?) AND minute >= ? ORDER BY 3, 4, 5"""
        return [_series(values) for values in self._db.execute(query, (account, region, namespace, namespace, name, name, since))]

    def points(self, series: Series, start: int, end: int) -> list[tuple[int, Statistics]]:
        """(minute, statistics) from start to before end, oldest first."""
        query = """SELECT minute, count, sum, minimum, maximum, spread FROM metric WHERE account = ? AND region = ? AND namespace = ? AND name = ?
                   AND dimensions = ? AND unit = ? AND minute >= ? AND minute < ? ORDER BY minute"""
        key = (series.account, series.region, series.namespace, series.name, json.dumps(series.dimensions), series.unit)
        return [(minute, _statistics(values)) for minute, *values in self._db.execute(query, (*key, start, end))]

    def totals(self) -> list[tuple[Series, Statistics]]:
        """Of each series, all of its points together."""
        query = """SELECT account, region, namespace, name, dimensions, unit, SUM(count), SUM(sum), MIN(minimum), MAX(maximum)
                   FROM metric GROUP BY 1, 2, 3, 4, 5, 6"""
        return [(_series(values[:6]), Statistics(*values[6:])) for values in self._db.execute(query)]

    def forget_before(self, minute: int) -> None:
        self._db.execute("DELETE FROM metric WHERE minute < ?", (minute,))


def _series(values: Iterable[str]) -> Series:
    account, region, namespace, name, dimensions, unit = values
    return Series(account, region, namespace, name, tuple((key, value) for key, value in json.loads(dimensions)), unit)


def _statistics(values: Iterable[object]) -> Statistics:
    count, total, minimum, maximum, spread = values
    buckets = {int(bucket): number for bucket, number in json.loads(str(spread)).items()}
    return Statistics(float(str(count)), float(str(total)), float(str(minimum)), float(str(maximum)), buckets)
