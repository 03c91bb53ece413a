"""Domain verifications: whose record counts, how long it is waited for, what happens when it vanishes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.region import ACCOUNT, NAME, Region, region

__all__ = ["region"]
STRANGER = "444455556666"


def publish(region: Region, record: dict[str, str], account: str = ACCOUNT, *, action: str = "CREATE", zone: str = "", **where: Any) -> str:
    """The TXT record in a zone of that account (a new one if none is named); the zone's id."""
    route53 = region.of(account, "route53")
    zone = zone or route53.create_hosted_zone(Name="example.net", CallerReference=record["value"], **where)["HostedZone"]["Id"]
    change = {"Name": record["name"], "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": f'"{record["value"]}"'}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": change}]})
    return zone


def test_a_record_that_vanishes_takes_the_verification_with_it(region: Region) -> None:
    started = region.lattice.start_domain_verification(domainName="example.net")
    where, record = {"domainVerificationIdentifier": started["id"]}, started["txtMethodConfig"]
    zone = publish(region, record)
    verified = region.lattice.get_domain_verification(**where)
    assert verified["status"] == "VERIFIED"
    publish(region, record, zone=zone, action="DELETE")
    lost = region.lattice.get_domain_verification(**where)
    assert (lost["status"], lost["lastVerifiedTime"]) == ("PENDING", verified["lastVerifiedTime"])
    publish(region, record, zone=zone)
    assert region.lattice.get_domain_verification(**where)["status"] == "VERIFIED"


def test_what_is_due_is_noticed_without_being_asked_for(region: Region) -> None:
    record = region.lattice.start_domain_verification(domainName="example.net")["txtMethodConfig"]

    def due() -> bool:
        with region.store.read() as snapshot:
            return region.app.registry.is_due(snapshot)

    assert not due()
    zone = publish(region, record)
    assert due()
    region.settle()
    assert not due()
    publish(region, record, zone=zone, action="DELETE")
    assert due()
    region.settle()
    assert not due()


def test_a_record_that_never_comes_is_not_waited_for_for_ever(region: Region) -> None:
    started = region.lattice.start_domain_verification(domainName="example.net")
    where = {"domainVerificationIdentifier": started["id"]}
    region.clock.moment += timedelta(hours=71)
    assert region.lattice.get_domain_verification(**where)["status"] == "PENDING"
    region.clock.moment += timedelta(hours=2)
    assert region.lattice.get_domain_verification(**where)["status"] == "VERIFICATION_TIMED_OUT"
    publish(region, started["txtMethodConfig"])
    assert region.lattice.list_domain_verifications()["items"][0]["status"] == "VERIFICATION_TIMED_OUT"


@pytest.mark.parametrize(("account", "private", "status"), [(STRANGER, False, "VERIFIED"), (STRANGER, True, "PENDING"), (ACCOUNT, True, "VERIFIED")])
def test_whose_zones_count(region: Region, account: str, status: str, *, private: bool) -> None:
    """Public zones are everybody's; private ones show something to their own account."""
    started = region.lattice.start_domain_verification(domainName="example.net")
    vpc = region.of(account, "ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    publish(region, started["txtMethodConfig"], account, **({"VPC": {"VPCId": vpc, "VPCRegion": NAME}} if private else {}))
    assert region.lattice.get_domain_verification(domainVerificationIdentifier=started["id"])["status"] == status


def test_five_domains_can_be_verified_at_a_time(region: Region) -> None:
    for number in range(5):
        region.lattice.start_domain_verification(domainName=f"example-{number}.net")
    with region.refused("ServiceQuotaExceededException", "5") as refusal:
        region.lattice.start_domain_verification(domainName="example-5.net")
    assert refusal["quotaCode"] == "L-73D0F278"
