"""Metrics as boto3 sees them: put, asked for by every statistic, listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.region import Region, client

from latticewall.base.metrics import Statistics

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOP = [{"Name": "Shop", "Value": "one"}]
WINDOW = {"StartTime": NOW - timedelta(minutes=10), "EndTime": NOW + timedelta(minutes=10)}


@pytest.fixture
def cloudwatch(region: Region) -> Any:
    return client("cloudwatch")


def put(cloudwatch: Any, *values: float, name: str = "Sales", minutes: int = 0, **more: Any) -> None:
    data = {"MetricName": name, "Dimensions": SHOP, "Timestamp": NOW + timedelta(minutes=minutes), "Values": list(values), "Unit": "Count", **more}
    cloudwatch.put_metric_data(Namespace="Shops", MetricData=[data])


def data(cloudwatch: Any, stat: str, period: int = 60, **more: Any) -> list[tuple[datetime, float]]:
    query = {"Id": "q", "MetricStat": {"Metric": {"Namespace": "Shops", "MetricName": "Sales", "Dimensions": SHOP}, "Period": period, "Stat": stat}}
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=[query], **WINDOW, **more)["MetricDataResults"]
    assert found["StatusCode"] == "Complete"
    return list(zip(found["Timestamps"], found["Values"], strict=True))


def test_statistics_by_period(cloudwatch: Any) -> None:
    put(cloudwatch, 1, 2, 3)
    put(cloudwatch, 10, minutes=1)
    first = NOW.replace(second=0)
    assert data(cloudwatch, "Sum", ScanBy="TimestampAscending") == [(first, 6), (first + timedelta(minutes=1), 10)]
    assert [value for _, value in data(cloudwatch, "Average")] == [10, 2]
    assert data(cloudwatch, "Maximum", period=300, ScanBy="TimestampAscending") == [(NOW.replace(minute=0, second=0), 3), (NOW.replace(minute=5, second=0), 10)]
    asked = {"Namespace": "Shops", "MetricName": "Sales", "Dimensions": SHOP, "Period": 60, **WINDOW}
    found = cloudwatch.get_metric_statistics(**asked, Statistics=["Sum", "SampleCount", "Minimum"], ExtendedStatistics=["p50"])["Datapoints"]
    assert [(one["Sum"], one["SampleCount"], one["Minimum"], one["Unit"]) for one in found] == [(6, 3, 1, "Count"), (10, 1, 10, "Count")]
    assert found[0]["ExtendedStatistics"]["p50"] == pytest.approx(2, rel=0.01)


def test_one_minute_is_added_up(cloudwatch: Any) -> None:
    for value in range(5):
        put(cloudwatch, value)
    assert [value for _, value in data(cloudwatch, "Sum")] == [10]
    assert [value for _, value in data(cloudwatch, "SampleCount")] == [5]


def test_statistic_sets(cloudwatch: Any) -> None:
    extent = {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9}
    cloudwatch.put_metric_data(Namespace="Shops", MetricData=[{"MetricName": "Sales", "Dimensions": SHOP, "Timestamp": NOW, "StatisticValues": extent}])
    assert [value for _, value in data(cloudwatch, "Average")] == [5]
    assert data(cloudwatch, "p99") == []


def test_metrics_are_listed(cloudwatch: Any) -> None:
    put(cloudwatch, 1)
    put(cloudwatch, 1, name="Visits")
    cloudwatch.put_metric_data(Namespace="Others", MetricData=[{"MetricName": "x", "Value": 1}])
    assert len(cloudwatch.list_metrics()["Metrics"]) == 3
    found = cloudwatch.list_metrics(Namespace="Shops", Dimensions=[{"Name": "Shop"}])["Metrics"]
    assert found == [{"Namespace": "Shops", "MetricName": name, "Dimensions": SHOP} for name in ("Sales", "Visits")]
    assert cloudwatch.list_metrics(Namespace="Shops", Dimensions=[{"Name": "Shop", "Value": "two"}])["Metrics"] == []


def test_accounts_do_not_meet(cloudwatch: Any) -> None:
    put(cloudwatch, 1)
    assert client("cloudwatch", "999988887777").list_metrics()["Metrics"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Namespace": "AWS/VpcLattice"}, "InvalidParameterValue"),
        ({"MetricData": []}, "MissingParameter"),
        ({"MetricData": [{"MetricName": "x"}]}, "InvalidParameterCombination"),
        ({"MetricData": [{"MetricName": "x", "Value": float("nan")}]}, "InvalidParameterValue"),
        ({"MetricData": [{"MetricName": "x", "Value": 1, "Timestamp": NOW - timedelta(days=15)}]}, "InvalidParameterValue"),
        ({"MetricData": [{"MetricName": "x", "Values": [1, 2], "Counts": [1]}]}, "InvalidParameterValue"),
        ({"MetricData": [{"MetricName": "good", "Value": 1}, {"MetricName": "x", "Values": [1], "Counts": [-1]}]}, "InvalidParameterValue"),
    ],
)
def test_refused_data(region: Region, cloudwatch: Any, change: dict[str, Any], code: str) -> None:
    with region.refused(code):
        cloudwatch.put_metric_data(**{"Namespace": "Shops", "MetricData": [{"MetricName": "x", "Value": 1}], **change})
    assert cloudwatch.list_metrics()["Metrics"] == []


@pytest.mark.parametrize(
    ("change", "code"), [({"Period": 90}, "InvalidParameterValue"), ({"Stat": "tm90"}, "InvalidParameterValue"), ({"Period": 30}, "InvalidParameterValue")]
)
def test_refused_questions(region: Region, cloudwatch: Any, change: dict[str, Any], code: str) -> None:
    stat = {"Metric": {"Namespace": "Shops", "MetricName": "Sales"}, "Period": 60, "Stat": "Sum", **change}
    with region.refused(code):
        cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "q", "MetricStat": stat}], **WINDOW)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200), st.floats(0, 100))
def test_percentiles_are_right_to_one_percent(values: list[float], percent: float) -> None:
    found = Statistics()
    for value in values:
        found.add(value)
    position = max(0, min(len(values) - 1, -(-len(values) * percent // 100) - 1))
    exact = sorted(values)[int(position)]
    assert found.percentile(percent) == pytest.approx(exact, rel=0.0101, abs=1e-8)
