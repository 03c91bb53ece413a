"""Quotas of VPC Lattice: shown, raised, and kept to."""

from __future__ import annotations

import pytest
from tests.region import ACCOUNT, NAME, Region

LATTICE = {"ServiceCode": "vpc-lattice"}
LISTENERS = {**LATTICE, "QuotaCode": "L-D64E952E"}


def service_with_listeners(region: Region, count: int) -> str:
    service = str(region.lattice.create_service(name="orders")["id"])
    for number in range(count):
        add_listener(region, service, number)
    return service


def add_listener(region: Region, service: str, number: int) -> None:
    action = {"fixedResponse": {"statusCode": 404}}
    region.lattice.create_listener(serviceIdentifier=service, name=f"one{number}", protocol="HTTP", port=8000 + number, defaultAction=action)


def test_a_raised_quota_counts_in_its_region_and_account(region: Region) -> None:
    quotas = region.of(ACCOUNT, "service-quotas")
    service = service_with_listeners(region, 2)
    with region.refused("ServiceQuotaExceededException", "The limit of 2 listeners per service") as error:
        add_listener(region, service, 2)
    assert (error["quotaCode"], error["serviceCode"], error["resourceId"]) == (LISTENERS["QuotaCode"], "vpc-lattice", service)
    asked = quotas.request_service_quota_increase(**LISTENERS, DesiredValue=3)["RequestedQuota"]
    assert (asked["Status"], asked["DesiredValue"], asked["QuotaName"]) == ("APPROVED", 3.0, "Listeners per service")
    assert quotas.get_requested_service_quota_change(RequestId=asked["Id"])["RequestedQuota"] == asked
    add_listener(region, service, 2)
    with region.refused("ServiceQuotaExceededException", "The limit of 3 listeners per service"):
        add_listener(region, service, 3)
    found, usual = quotas.get_service_quota(**LISTENERS)["Quota"], quotas.get_aws_default_service_quota(**LISTENERS)["Quota"]
    assert (found["Value"], usual["Value"]) == (3.0, 2.0)
    assert found["QuotaArn"] == f"arn:aws:servicequotas:{NAME}:{ACCOUNT}:vpc-lattice/{LISTENERS['QuotaCode']}"
    assert usual["QuotaArn"] == f"arn:aws:servicequotas:{NAME}::vpc-lattice/{LISTENERS['QuotaCode']}"


def test_the_history_is_the_newest_first(region: Region) -> None:
    quotas = region.of(ACCOUNT, "service-quotas")
    made = [quotas.request_service_quota_increase(**LISTENERS, DesiredValue=value)["RequestedQuota"]["Id"] for value in (3, 4)]
    other = quotas.request_service_quota_increase(**LATTICE, QuotaCode="L-CF78395E", DesiredValue=11)["RequestedQuota"]["Id"]
    assert [item["Id"] for item in quotas.list_requested_service_quota_change_history()["RequestedQuotas"]] == [other, *reversed(made)]
    by_quota = quotas.list_requested_service_quota_change_history_by_quota(**LISTENERS)["RequestedQuotas"]
    assert [item["Id"] for item in by_quota] == list(reversed(made))
    assert quotas.list_requested_service_quota_change_history(Status="DENIED")["RequestedQuotas"] == []


def test_all_quotas_are_listed(region: Region) -> None:
    quotas = region.of(ACCOUNT, "service-quotas")
    assert [item["ServiceCode"] for item in quotas.list_services()["Services"]] == ["vpc-lattice"]
    pages = list(quotas.get_paginator("list_service_quotas").paginate(**LATTICE, PaginationConfig={"PageSize": 7}))
    found = {item["QuotaCode"]: item["Value"] for page in pages for item in page["Quotas"]}
    assert len(pages) == 3
    assert len(found) == 16
    assert found == {item["QuotaCode"]: item["Value"] for item in quotas.list_aws_default_service_quotas(**LATTICE)["Quotas"]}
    assert found["L-620C821E"] == 2000.0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({**LISTENERS, "DesiredValue": 2}, "IllegalArgumentException"),
        ({**LISTENERS, "DesiredValue": 2.5}, "IllegalArgumentException"),
        ({**LATTICE, "QuotaCode": "L-CA6A1CC5", "DesiredValue": 9}, "IllegalArgumentException"),
        ({**LATTICE, "QuotaCode": "L-00000000", "DesiredValue": 9}, "NoSuchResourceException"),
        ({"ServiceCode": "ec2", "QuotaCode": "L-00000000", "DesiredValue": 9}, "NoSuchResourceException"),
    ],
)
def test_what_is_refused(region: Region, asked: dict[str, object], code: str) -> None:
    quotas = region.of(ACCOUNT, "service-quotas")
    with region.refused(code):
        quotas.request_service_quota_increase(**asked)
    assert quotas.list_requested_service_quota_change_history()["RequestedQuotas"] == []
