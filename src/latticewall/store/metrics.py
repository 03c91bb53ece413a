"""Metric data: one row per metric, dimensions, unit and minute, kept for as long as CloudWatch keeps one-minute points."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping

from latticewall.base.metrics import Series, Statistics

RETENTION_MINUTES = 15 * 24 * 60
"""CloudWatch keeps data points of one minute for 15 days."""


class Metrics:
    """The table `metric` through one connection. Minutes are counted from the epoch."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, points: Mapping[tuple[Series, int], Statistics]) -> None:
        """Merge points into what is there."""
        self._put(points, _merged)

    def raise_to(self, points: Mapping[tuple[Series, int], Statistics]) -> None:
        """Of several readings of one minute the one with the largest sum is its point: what is there at a time is not there once more at the next reading."""
        self._put(points, _larger)

    def _put(self, points: Mapping[tuple[Series, int], Statistics], combine: Callable[[Statistics, Statistics], Statistics]) -> None:
        for (series, minute), added in points.items():
            account, region, namespace, name, dimensions, unit = series
            key = (account, region, namespace, name, json.dumps(dimensions), minute, unit)
            found = self._db.execute(
                "SELECT count, sum, minimum, maximum, spread FROM metric WHERE account = ? AND region = ? AND namespace = ? AND name = ?"
                " AND dimensions = ? AND minute = ? AND unit = ?", key,
            ).fetchone()  # fmt: skip
            total = combine(_statistics(found), added) if found else added
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

    def first(self, account: str, region: str, namespace: str, names: Iterable[str], dimensions: tuple[tuple[str, str], ...]) -> int | None:
        """The first minute in which one of these metrics has a point, of what has these dimensions; None without any."""
        query = "SELECT MIN(minute) FROM metric WHERE account = ? AND region = ? AND namespace = ? AND name = ? AND dimensions = ?"
        found = [self._db.execute(query, (account, region, namespace, name, json.dumps(dimensions))).fetchone()[0] for name in names]
        return min((int(minute) for minute in found if minute is not None), default=None)

    def forget_before(self, minute: int) -> None:
        self._db.execute("DELETE FROM metric WHERE minute < ?", (minute,))

    def clear(self) -> None:
        self._db.execute("DELETE FROM metric")


def _merged(kept: Statistics, added: Statistics) -> Statistics:
    kept.merge(added)
    return kept


def _larger(kept: Statistics, read: Statistics) -> Statistics:
    return read if read.sum > kept.sum else kept


def _series(values: Iterable[str]) -> Series:
    account, region, namespace, name, dimensions, unit = values
    return Series(account, region, namespace, name, tuple((key, value) for key, value in json.loads(dimensions)), unit)


def _statistics(values: Iterable[object]) -> Statistics:
    count, total, minimum, maximum, spread = values
    buckets = {int(bucket): number for bucket, number in json.loads(str(spread)).items()}
    return Statistics(float(str(count)), float(str(total)), float(str(minimum)), float(str(maximum)), buckets)
