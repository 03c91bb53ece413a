"""Custom metrics ("PutMetricData")."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.base.metrics import Series, Statistics
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler

OWN = "AWS/"
"""How the namespaces of AWS's own services begin."""
OLDEST, NEWEST = timedelta(days=14), timedelta(hours=2)
MOST_DATA, MOST_VALUES = 1000, 150
LARGEST = 2.0**360
NO_UNIT = "None"


def put(ctx: Context, params: Document) -> Document:
    """All of it is kept, or the call is refused."""
    namespace, data = str(params["Namespace"]), params.get("MetricData") or []
    if namespace.startswith((OWN, ":")):
        raise Invalid(f"The value {OWN} for parameter Namespace is invalid.", code="InvalidParameterValue")
    if params.get("EntityMetricData"):
        raise Invalid("EntityMetricData is not supported by latticewall", code="InvalidParameterValue")
    if not data:
        raise Invalid("The parameter MetricData is required.", code="MissingParameter")
    if len(data) > MOST_DATA:
        raise Invalid(f"The collection MetricData must not have a size greater than {MOST_DATA}.", code="InvalidParameterValue")
    points: dict[tuple[Series, int], Statistics] = {}
    for number, datum in enumerate(data, start=1):
        series = Series(
            ctx.caller.account, ctx.caller.region, namespace, datum["MetricName"], dimensions_of(datum.get("Dimensions")), datum.get("Unit") or NO_UNIT
        )  # fmt: skip
        points.setdefault((series, _minute(ctx, number, datum)), Statistics()).merge(_statistics(number, datum))
    ctx.tx.metrics.add(points)
    return {}


def dimensions_of(given: list[dict[str, str]] | None) -> tuple[tuple[str, str], ...]:
    """Sorted, so that their order makes no difference."""
    return tuple(sorted((str(one["Name"]), str(one["Value"])) for one in given or ()))


def _minute(ctx: Context, number: int, datum: Mapping[str, Any]) -> int:
    now, at = ctx.now_datetime, datetime.fromisoformat(datum.get("Timestamp") or ctx.now)
    if not now - OLDEST <= at <= now + NEWEST:
        message = "must specify a time no older than 2 weeks and no more than 2 hours in the future"
        raise _wrong(number, "Timestamp", message)
    return int(at.timestamp()) // 60


def _statistics(number: int, datum: Mapping[str, Any]) -> Statistics:
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if len(given) != 1:
        raise _wrong(number, "Value", "must be the only one of Value, Values and StatisticValues, and one must be given", "InvalidParameterCombination")
    found = Statistics()
    if given == ["StatisticValues"]:
        one = datum["StatisticValues"]
        count, total, minimum, maximum = (_finite(number, one[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
        return Statistics(count, total, minimum, maximum)
    values = datum["Values"] if given == ["Values"] else [datum["Value"]]
    counts = datum.get("Counts") or [1.0] * len(values)
    if len(values) > MOST_VALUES or len(values) != len(counts):
        raise _wrong(number, "Values", f"must have at most {MOST_VALUES} members and as many as Counts")
    for value, count in zip(values, counts, strict=True):
        if _finite(number, count) <= 0:
            raise _wrong(number, "Counts", "must be above 0")
        found.add(_finite(number, value), float(count))
    return found


def _finite(number: int, value: float) -> float:
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise _wrong(number, "Value", f"must be a number between -2^360 and 2^360, not {value}")
    return float(value)


def _wrong(number: int, member: str, message: str, code: str = "InvalidParameterValue") -> Invalid:
    return Invalid(f"The parameter MetricData.member.{number}.{member} {message}.", code=code)


OPERATIONS: dict[str, Handler] = {"PutMetricData": put}
