"""Questions about metrics. Pages: "GetMetricData", "GetMetricStatistics", "ListMetrics", "CloudWatch statistics definitions"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from latticewall.base.faults import Invalid, Unsupported
from latticewall.base.lattice_metrics import NAMESPACE
from latticewall.base.metrics import Series, Statistics
from latticewall.resources.context import Context
from latticewall.resources.kind import Document, Handler
from latticewall.services.cloudwatch.putting import dimensions_of
from latticewall.services.cloudwatch.zeros import check, reported, zeros

LISTED_MINUTES = 14 * 24 * 60
"""ListMetrics shows what had a point within two weeks."""
RECENT_MINUTES = 3 * 60
MOST_POINTS = 1440
"""Data points that one GetMetricStatistics answers."""
MOST_QUERIES = 500
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)\Z")
PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def value_of(statistic: str, found: Statistics) -> float | None:
    """A statistic of some values; None where only their extent is known and a percentile is asked. Raises Unsupported for any other word."""
    if statistic not in PLAIN:
        percentile = _PERCENTILE.match(statistic)
        if percentile is None:
            raise Unsupported(f"The statistic {statistic} is not supported by latticewall: {', '.join(PLAIN)} and percentiles (p99) are")
        known = sum(found.spread.values()) >= found.count - 1e-9
        return found.percentile(float(percentile[1])) if known else None
    return {
        "SampleCount": found.count, "Sum": found.sum, "Minimum": found.minimum, "Maximum": found.maximum,
        "Average": found.sum / found.count if found.count else 0.0,
    }[statistic]  # fmt: skip


def _period(period: int) -> int:
    """In minutes."""
    if period < 60:
        raise Unsupported("Periods below 60 seconds are not supported by latticewall: points are kept per minute")
    if period % 60:
        raise Invalid("The parameter Period must be a multiple of 60.", code="InvalidParameterValue")
    return period // 60


def _window(params: Mapping[str, Any]) -> tuple[int, int]:
    """(first minute, minute after the last)."""
    start, end = (datetime.fromisoformat(params[name]).timestamp() for name in ("StartTime", "EndTime"))
    if start >= end:
        raise Invalid("The parameter StartTime must be less than the parameter EndTime.", code="InvalidParameterValue")
    return int(start // 60), int(-(-end // 60))


def _points(ctx: Context, metric: Mapping[str, Any], unit: str | None, window: tuple[int, int], period: int) -> list[tuple[int, Statistics, str]]:
    """(minute at which a period begins, its statistics, unit), oldest first. Periods are aligned to the epoch."""
    start, end = window[0] - window[0] % period, window[1]
    wanted = dimensions_of(metric.get("Dimensions"))
    found: dict[int, tuple[Statistics, str]] = {}
    for series in ctx.tx.metrics.series(ctx.caller.account, ctx.caller.region, str(metric["Namespace"]), str(metric["MetricName"])):
        if series.dimensions == wanted and unit in (None, series.unit):
            for minute, statistics in ctx.tx.metrics.points(series, start, end):
                found.setdefault(minute - minute % period, (Statistics(), series.unit))[0].merge(statistics)
    silent = zeros(ctx, str(metric["Namespace"]), str(metric["MetricName"]), wanted, window, period)
    found = {minute: one for minute, one in silent.items() if unit in (None, one[1])} | found
    return [(minute, *found[minute]) for minute in sorted(found)]


def _iso(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def get_statistics(ctx: Context, params: Document) -> Document:
    plain, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
    if not plain and not extended:
        raise Invalid("At least one of the parameters Statistics and ExtendedStatistics must be specified.", code="MissingParameter")
    period, window = _period(params["Period"]), _window(params)
    if (window[1] - window[0]) / period > MOST_POINTS:
        message = f"You have requested up to {(window[1] - window[0]) // period} datapoints, which exceeds the limit of {MOST_POINTS:,}."
        advice = "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        raise Invalid(f"{message} {advice}", code="InvalidParameterCombination")
    shown = []
    for minute, found, unit in _points(ctx, params, params.get("Unit"), window, period):
        point: dict[str, Any] = {"Timestamp": _iso(minute), "Unit": unit, **{name: value_of(name, found) for name in plain}}
        values = {name: value for name in extended if (value := value_of(name, found)) is not None}
        shown.append({**point, **({"ExtendedStatistics": values} if values else {})})
    return {"Label": params["MetricName"], "Datapoints": shown}


def get_data(ctx: Context, params: Document) -> Document:
    queries = params["MetricDataQueries"]
    if len(queries) > MOST_QUERIES:
        raise Invalid(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.", code="InvalidParameterValue")
    if len({query["Id"] for query in queries}) != len(queries):
        raise Invalid("The values for parameter id in MetricDataQueries are not unique.", code="InvalidParameterValue")
    window, newest_first = _window(params), params.get("ScanBy") != "TimestampAscending"
    check([(window, _period(query["MetricStat"]["Period"])) for query in queries if query.get("MetricStat")])
    results = []
    for query in queries:
        if query.get("Expression"):
            raise Unsupported("Expressions in MetricDataQueries are not supported by latticewall")
        if not query.get("MetricStat"):
            raise Invalid("Either MetricStat or Expression must be specified in each of MetricDataQueries.", code="MissingParameter")
        asked = query["MetricStat"]
        points = _points(ctx, asked["Metric"], asked.get("Unit"), window, _period(asked["Period"]))
        values = [(_iso(minute), value) for minute, found, _ in points if (value := value_of(asked["Stat"], found)) is not None]
        value_of(asked["Stat"], Statistics())
        if query.get("ReturnData", True):
            ordered = values[::-1] if newest_first else values
            label = query.get("Label") or asked["Metric"]["MetricName"]
            results.append({"Id": query["Id"], "Label": label, "Timestamps": [at for at, _ in ordered], "Values": [value for _, value in ordered],
                            "StatusCode": "Complete"})  # fmt: skip
    return {"MetricDataResults": results, "Messages": [], "NextToken": None}


def list_metrics(ctx: Context, params: Document) -> Document:
    now = int(ctx.now_datetime.timestamp()) // 60
    since = now - (RECENT_MINUTES if params.get("RecentlyActive") else LISTED_MINUTES)
    wanted = [(str(one["Name"]), one.get("Value")) for one in params.get("Dimensions") or ()]
    found = ctx.tx.metrics.series(ctx.caller.account, ctx.caller.region, params.get("Namespace") or "", params.get("MetricName") or "", since)
    found += _reported(ctx, params)
    shown = dict.fromkeys(_identity(series) for series in sorted(set(found)) if all(_has(series, name, value) for name, value in wanted))
    metrics = [
        {"Namespace": namespace, "MetricName": name, "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions]}
        for namespace, name, dimensions in shown
    ]
    return {"Metrics": metrics}


def _reported(ctx: Context, params: Document) -> list[Series]:
    """The series of VPC Lattice that are reported as zero if as nothing else: of all that is there and has had traffic."""
    if params.get("Namespace") not in (None, NAMESPACE):
        return []
    seen = {one.dimensions for one in ctx.tx.metrics.series(ctx.caller.account, ctx.caller.region, NAMESPACE)}
    return [
        Series(ctx.caller.account, ctx.caller.region, NAMESPACE, name, dimensions, metric.unit)
        for dimensions in seen
        for name, metric in reported(ctx, dimensions).items()
        if params.get("MetricName") in (None, name)
    ]


def _identity(series: Series) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return series.namespace, series.name, series.dimensions


def _has(series: Series, name: str, value: str | None) -> bool:
    return any(key == name and value in (None, own) for key, own in series.dimensions)


OPERATIONS: dict[str, Handler] = {"GetMetricData": get_data, "GetMetricStatistics": get_statistics, "ListMetrics": list_metrics}
