"""Hosted zones and record sets through boto3."""

from __future__ import annotations

from typing import Any

import pytest
from tests.region import NAME, Region


def zone(region: Region, vpc: str = "", name: str = "example.com", reference: str = "one", **more: Any) -> str:
    params: dict[str, Any] = {"Name": name, "CallerReference": reference, **more}
    if vpc:
        params["VPC"] = {"VPCRegion": NAME, "VPCId": vpc}
    return str(region.route53.create_hosted_zone(**params)["HostedZone"]["Id"])


def record(name: str, value: str = "10.0.0.1", kind: str = "A", ttl: int = 60) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}]}


def change(region: Region, zone_id: str, *changes: tuple[str, dict[str, Any]]) -> Any:
    listed = [{"Action": action, "ResourceRecordSet": found} for action, found in changes]
    return region.route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": listed})


def names(region: Region, zone_id: str, **more: Any) -> list[tuple[str, str]]:
    return [(found["Name"], found["Type"]) for found in region.route53.list_resource_record_sets(HostedZoneId=zone_id, **more)["ResourceRecordSets"]]


def test_a_private_zone_lives(region: Region) -> None:
    first, second = region.vpc(), region.vpc("10.1.0.0/16")
    id_ = zone(region, first, HostedZoneConfig={"Comment": "inside", "PrivateZone": True})
    shown = region.route53.get_hosted_zone(Id=id_)
    assert shown["HostedZone"]["Name"] == "example.com."
    assert shown["HostedZone"]["Config"] == {"Comment": "inside", "PrivateZone": True}
    assert shown["HostedZone"]["ResourceRecordSetCount"] == 2
    assert shown["VPCs"] == [{"VPCRegion": NAME, "VPCId": first}]
    region.route53.associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC={"VPCRegion": NAME, "VPCId": second})
    (summary,) = region.route53.list_hosted_zones_by_vpc(VPCId=second, VPCRegion=NAME)["HostedZoneSummaries"]
    assert summary["HostedZoneId"] == id_.split("/")[-1]
    region.route53.disassociate_vpc_from_hosted_zone(HostedZoneId=id_, VPC={"VPCRegion": NAME, "VPCId": first})
    with region.refused("LastVPCAssociation"):
        region.route53.disassociate_vpc_from_hosted_zone(HostedZoneId=id_, VPC={"VPCRegion": NAME, "VPCId": second})
    with region.refused("VPCAssociationNotFound"):
        region.route53.disassociate_vpc_from_hosted_zone(HostedZoneId=id_, VPC={"VPCRegion": NAME, "VPCId": first})
    region.route53.delete_hosted_zone(Id=id_)
    with region.refused("NoSuchHostedZone", id_.split("/")[-1]):
        region.route53.get_hosted_zone(Id=id_)
    assert region.last_status == 404


def test_a_vpc_sees_one_zone_of_a_name(region: Region) -> None:
    vpc, other = region.vpc(), region.vpc("10.1.0.0/16")
    zone(region, vpc)
    with region.refused("ConflictingDomainExists", vpc):
        zone(region, vpc, reference="two")
    id_ = zone(region, other, reference="three")
    with region.refused("ConflictingDomainExists"):
        region.route53.associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC={"VPCRegion": NAME, "VPCId": vpc})
    zone(region, vpc, "sub.example.com", "four")
    with region.refused("HostedZoneAlreadyExists", "four"):
        zone(region, vpc, "else.example.com", "four")
    with region.refused("InvalidVPCId", "vpc-0123456789abcdef0"):
        zone(region, "vpc-0123456789abcdef0", reference="five")
    public = zone(region, name="public.example.com", reference="six")
    with region.refused("PublicZoneVPCAssociation"):
        region.route53.associate_vpc_with_hosted_zone(HostedZoneId=public, VPC={"VPCRegion": NAME, "VPCId": vpc})


@pytest.mark.parametrize("name", ["exa mple.com", "a..com", "example.com..", "x" * 64 + ".com", "*.example.com", "quo\"te.com", "new\nline.com"])
def test_a_zone_has_a_domain_name(region: Region, name: str) -> None:
    with region.refused("InvalidDomainName"):
        zone(region, name=name)


def test_records_are_changed_together_or_not_at_all(region: Region) -> None:
    id_ = zone(region, region.vpc())
    change(region, id_, ("CREATE", record("Web.Example.com.")), ("UPSERT", record("db.example.com", "10.0.0.3")))
    with region.refused("InvalidChangeBatch") as held:
        change(region, id_, ("DELETE", record("none.example.com")), ("CREATE", record("web.example.com")), ("CREATE", record("new.example.com")))
    message = held["Error"]["Message"]
    assert "[name='none.example.com.', type='A'] but it was not found" in message
    assert "[name='web.example.com.', type='A'] but it already exists" in message
    assert names(region, id_) == [("example.com.", "NS"), ("example.com.", "SOA"), ("db.example.com.", "A"), ("web.example.com.", "A")]
    with region.refused("InvalidChangeBatch", "do not match the current values"):
        change(region, id_, ("DELETE", record("web.example.com", ttl=61)))
    change(region, id_, ("UPSERT", record("web.example.com", "10.0.0.9")), ("DELETE", record("db.example.com", "10.0.0.3")))
    found = region.route53.list_resource_record_sets(HostedZoneId=id_, StartRecordName="web.example.com", StartRecordType="A")["ResourceRecordSets"]
    assert found == [record("web.example.com.", "10.0.0.9")]
    assert region.route53.get_hosted_zone(Id=id_)["HostedZone"]["ResourceRecordSetCount"] == 3
    with region.refused("HostedZoneNotEmpty"):
        region.route53.delete_hosted_zone(Id=id_)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (record("web.example.org"), "not permitted in zone example.com."),
        (record("web.example.com", "10.0.0.300"), "10.0.0.300"),
        (record("web.example.com", "10.0.0.1", "AAAA"), "10.0.0.1"),
        (record("web.example.com", "fe80::1%eth0", "AAAA"), "fe80::1%eth0"),
        (record("web.example.com", "plain", "TXT"), "quotation marks"),
        (record("web.example.com", "mail.example.com", "MX"), "mail.example.com"),
        (record("web.example.com", "two words", "CNAME"), "two words"),
        (record("web.example.com", "1 2 x", "SRV"), "1 2 x"),
        (record("web.example.com", "a.b.\n$INCLUDE /etc/passwd", "CNAME"), "control character"),
        (record("example.com", "x.y", "CNAME"), "apex"),
        (record("we b.example.com"), "we b"),
        (record("a.*.example.com"), "a.*"),
        ({"Name": "web.example.com", "Type": "A"}, "Missing field"),
        ({**record("web.example.com"), "SetIdentifier": "a", "Region": "eu-west-1"}, "not Region"),
        ({**record("web.example.com"), "SetIdentifier": "a"}, "exactly one of Weight and MultiValueAnswer"),
        ({**record("web.example.com"), "Weight": 1}, "SetIdentifier together with"),
        ({**record("web.example.com"), "SetIdentifier": "a", "Weight": 1, "MultiValueAnswer": True}, "exactly one"),
        ({**record("web.example.com"), "Type": "SPF"}, "not supported"),
    ],
)
def test_a_wrong_record_is_refused_by_name(region: Region, given: dict[str, Any], words: str) -> None:
    id_ = zone(region, region.vpc())
    with region.refused("InvalidChangeBatch", words):
        change(region, id_, ("UPSERT", given))


def test_a_cname_stands_alone(region: Region) -> None:
    id_ = zone(region, region.vpc())
    change(region, id_, ("CREATE", record("web.example.com")))
    with region.refused("InvalidChangeBatch", "conflict"):
        change(region, id_, ("CREATE", record("web.example.com", "other.example.com", "CNAME")))
    change(region, id_, ("DELETE", record("web.example.com")), ("CREATE", record("web.example.com", "other.example.com", "CNAME")))
    with region.refused("InvalidChangeBatch", "conflict"):
        change(region, id_, ("CREATE", record("web.example.com", '"t"', "TXT")))


def test_every_type_of_record(region: Region) -> None:
    id_ = zone(region, region.vpc())
    values = {
        "AAAA": "fd00::1", "TXT": '"a b" "c"', "MX": "10 mail.example.com", "SRV": "1 10 5269 x.example.com.", "PTR": "x.example.com",
        "CAA": '0 issue "ca.example.net"',
    }  # fmt: skip
    change(region, id_, *(("CREATE", record(f"{kind.lower()}.example.com", value, kind)) for kind, value in values.items()))
    assert {kind for _, kind in names(region, id_)} == {"NS", "SOA", *values}


def test_wildcards_are_spelled_in_octal_as_aws_does(region: Region) -> None:
    id_ = zone(region, region.vpc())
    change(region, id_, ("CREATE", record("*.example.com")))
    assert names(region, id_)[-1] == ("\\052.example.com.", "A")
    assert names(region, id_, StartRecordName="\\052.example.com", StartRecordType="A") == [("\\052.example.com.", "A")]
    change(region, id_, ("DELETE", record("\\052.example.com")))


def test_records_come_in_pages_in_order_of_labels(region: Region) -> None:
    id_ = zone(region, region.vpc())
    change(region, id_, *(("CREATE", record(f"{name}.example.com")) for name in ("b", "a.b", "a", "c")))
    pages = list(region.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=id_, PaginationConfig={"PageSize": 4}))
    found = [[item["Name"].removesuffix("example.com.") for item in page["ResourceRecordSets"]] for page in pages]
    assert found == [["", "", "a.", "b."], ["a.b.", "c."]]


def test_zones_by_name_and_of_other_accounts(region: Region) -> None:
    vpc = region.vpc()
    for number, name in enumerate(("b.test", "a.test", "z.a.test")):
        zone(region, vpc, name, str(number))
    assert [item["Name"] for item in region.route53.list_hosted_zones_by_name()["HostedZones"]] == ["a.test.", "z.a.test.", "b.test."]
    assert [item["Name"] for item in region.route53.list_hosted_zones_by_name(DNSName="b.test")["HostedZones"]] == ["b.test."]
    pages = list(region.route53.get_paginator("list_hosted_zones").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["HostedZones"]) for page in pages] == [2, 1]
    stranger = region.of("999988887777", "route53")
    assert stranger.list_hosted_zones()["HostedZones"] == []
    with region.refused("NoSuchHostedZone"):
        stranger.get_hosted_zone(Id=pages[0]["HostedZones"][0]["Id"])


def test_changes_are_waited_for(region: Region) -> None:
    id_ = zone(region, region.vpc())
    info = change(region, id_, ("CREATE", record("web.example.com")))["ChangeInfo"]
    region.route53.get_waiter("resource_record_sets_changed").wait(Id=info["Id"], WaiterConfig={"MaxAttempts": 1, "Delay": 1})


def test_a_deleted_vpc_leaves_its_zones(region: Region) -> None:
    vpc, other = region.vpc(), region.vpc("10.1.0.0/16")
    id_ = zone(region, vpc)
    region.ec2.delete_vpc(VpcId=vpc)
    region.settle()
    assert region.route53.get_hosted_zone(Id=id_)["HostedZone"]["Config"]["PrivateZone"] is True
    region.route53.associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC={"VPCRegion": NAME, "VPCId": other})
    assert [item["VPCId"] for item in region.route53.get_hosted_zone(Id=id_)["VPCs"]] == [other]


def test_tags_and_comments(region: Region) -> None:
    id_ = zone(region).split("/")[-1]
    region.route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=id_, AddTags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    region.route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=id_, RemoveTagKeys=["a"])
    assert region.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=id_)["ResourceTagSet"]["Tags"] == [{"Key": "b", "Value": "2"}]
    assert region.route53.update_hosted_zone_comment(Id=id_, Comment="new")["HostedZone"]["Config"]["Comment"] == "new"
    assert region.route53.get_hosted_zone_count()["HostedZoneCount"] == 1


def weighted(name: str, identifier: str, weight: int, value: str) -> dict[str, Any]:
    return {**record(name, value), "SetIdentifier": identifier, "Weight": weight}


def test_weighted_records_live_beside_each_other(region: Region) -> None:
    id_ = zone(region, region.vpc())
    blue, green = weighted("web.example.com", "blue", 10, "10.0.0.1"), weighted("web.example.com", "green", 0, "10.0.0.2")
    change(region, id_, ("CREATE", blue), ("CREATE", green))
    found = [item for item in region.route53.list_resource_record_sets(HostedZoneId=id_)["ResourceRecordSets"] if item["Type"] == "A"]
    assert [(item["SetIdentifier"], item["Weight"]) for item in found] == [("blue", 10), ("green", 0)]
    page = region.route53.list_resource_record_sets(HostedZoneId=id_, StartRecordName="web.example.com", StartRecordType="A", MaxItems="1")
    assert page["NextRecordIdentifier"] == "green"
    rest = region.route53.list_resource_record_sets(
        HostedZoneId=id_, StartRecordName="web.example.com", StartRecordType="A", StartRecordIdentifier=page["NextRecordIdentifier"]
    )["ResourceRecordSets"]
    assert [item["SetIdentifier"] for item in rest] == ["green"]
    with region.refused("InvalidChangeBatch", "already exists"):
        change(region, id_, ("CREATE", blue))
    with region.refused("InvalidChangeBatch", "a weighted RRSet with the same name and type exists"):
        change(region, id_, ("CREATE", record("web.example.com")))
    with region.refused("InvalidChangeBatch", "a weighted RRSet"):
        change(region, id_, ("CREATE", {**record("web.example.com"), "SetIdentifier": "more", "MultiValueAnswer": True}))
    change(region, id_, ("UPSERT", {**blue, "Weight": 20}), ("DELETE", green))
    change(region, id_, ("DELETE", {**blue, "Weight": 20}), ("CREATE", record("web.example.com")))
    with region.refused("InvalidChangeBatch", "a non-weighted RRSet"):
        change(region, id_, ("CREATE", blue))
