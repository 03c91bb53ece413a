"""Metrics as boto3 sees them: put, asked for by every statistic, listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.region import ACCOUNT, NAME, Region, client

from latticewall.base.lattice_metrics import NAMESPACE, OF_SERVICES
from latticewall.base.metrics import Series, Statistics

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


# -- zeros of VPC Lattice ------------------------------------------------------------------------------------------------------------------------------------


def counted(region: Region, dimensions: list[dict[str, str]], name: str = "TotalRequestCount", minutes: int = 0, unit: str = "Count") -> None:
    """Traffic as the access log tells of it."""
    series = Series(ACCOUNT, NAME, NAMESPACE, name, tuple(sorted((one["Name"], one["Value"]) for one in dimensions)), unit)
    found = Statistics()
    found.add(3)
    with region.store.write("test", "traffic") as tx:
        tx.metrics.add({(series, int(NOW.timestamp()) // 60 + minutes): found})


def of_lattice(cloudwatch: Any, name: str, dimensions: list[dict[str, str]], stat: str = "Sum", period: int = 60) -> list[float]:
    metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}}
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=[query], ScanBy="TimestampAscending", **WINDOW)["MetricDataResults"]
    return list(found["Values"])


def test_silent_minutes_are_zero_from_the_first_traffic_on(region: Region, cloudwatch: Any) -> None:
    """Of what is there and has had traffic, up to the last minute that has been counted; in its zone from the zone's own traffic on."""
    service = [{"Name": "Service", "Value": region.lattice.create_service(name="shop")["id"]}]
    zoned = [*service, {"Name": "AvailabilityZone", "Value": f"{NAME}a"}]
    assert of_lattice(cloudwatch, "TotalRequestCount", service) == []
    counted(region, service, minutes=-5)
    counted(region, zoned, minutes=-3)
    counted(region, service, "RequestTime", -5, "Milliseconds")
    assert of_lattice(cloudwatch, "TotalRequestCount", service) == [3, 0, 0, 0]
    assert of_lattice(cloudwatch, "TotalRequestCount", zoned) == [3, 0]
    assert of_lattice(cloudwatch, "HTTPCode_5XX_Count", service) == [0, 0, 0, 0]
    assert of_lattice(cloudwatch, "RequestTime", service, "p99") == [3, 0, 0, 0]
    assert of_lattice(cloudwatch, "RequestTime", service, "Average", 300) == [3, 0], "zeros are not requests: an average is that of requests"
    assert of_lattice(cloudwatch, "TotalConnectionCount", service) == [] == of_lattice(cloudwatch, "HTTPCode_5XX_Count", SHOP)
    asked = {"Namespace": NAMESPACE, "MetricName": "RequestTimeoutCount", "Dimensions": service, "Period": 60, **WINDOW}
    points = cloudwatch.get_metric_statistics(**asked, Statistics=["Sum", "SampleCount"])["Datapoints"]
    assert [(one["Sum"], one["SampleCount"], one["Unit"]) for one in points] == [(0, 1, "Count")] * 4
    assert cloudwatch.get_metric_statistics(**asked, Statistics=["Sum"], Unit="Bytes")["Datapoints"] == []
    named = {(one["MetricName"], len(one["Dimensions"])) for one in cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]}
    assert named == {(name, count) for name in OF_SERVICES for count in (1, 2)}
    region.lattice.delete_service(serviceIdentifier=service[0]["Value"])
    region.settle()
    assert of_lattice(cloudwatch, "TotalRequestCount", service) == [3]


def test_zeros_of_a_target_group_are_those_of_its_protocol(region: Region, cloudwatch: Any) -> None:
    config = {"vpcIdentifier": region.vpc(), "port": 80, "protocol": "TCP"}
    group = [{"Name": "TargetGroup", "Value": region.lattice.create_target_group(name="bytes", type="IP", config=config)["id"]}]
    counted(region, group, "TotalSentConnectionBytes", -3, "Bytes")
    assert of_lattice(cloudwatch, "ConnectionErrorCount", group) == [0, 0]
    assert of_lattice(cloudwatch, "TotalRequestCount", group) == []


def test_too_many_points_at_once(region: Region, cloudwatch: Any) -> None:
    stat = {"Metric": {"Namespace": NAMESPACE, "MetricName": "RequestTime"}, "Period": 60, "Stat": "Sum"}
    month = {"StartTime": NOW - timedelta(days=30), "EndTime": NOW}
    with region.refused("InvalidParameterCombination"):
        cloudwatch.get_metric_data(MetricDataQueries=[{"Id": f"q{number}", "MetricStat": stat} for number in range(5)], **month)
    assert cloudwatch.get_metric_data(MetricDataQueries=[{"Id": "q", "MetricStat": stat}], **month)["MetricDataResults"][0]["Values"] == []


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200), st.floats(0, 100))
def test_percentiles_are_right_to_one_percent(values: list[float], percent: float) -> None:
    found = Statistics()
    for value in values:
        found.add(value)
    position = max(0, min(len(values) - 1, -(-len(values) * percent // 100) - 1))
    exact = sorted(values)[int(position)]
    assert found.percentile(percent) == pytest.approx(exact, rel=0.0101, abs=1e-8)
