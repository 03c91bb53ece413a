"""World -> what resolvers and instance metadata answer."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from latticewall.base.memo import Memo
from latticewall.compile.names import compile_names, names_problems, public_zones
from latticewall.compile.resolution import Zones
from latticewall.compile.units import Units
from latticewall.plan.names import MetadataInstance, Resolver
from latticewall.world.types import (
    HostedZone,
    Instance,
    NetworkInterface,
    ResourceAssociation,
    ResourceConfiguration,
    ResourceGateway,
    SecurityGroup,
    Service,
    ServiceAssociation,
    ServiceNetwork,
    Subnet,
    Vpc,
    VpcAssociation,
    World,
)

GOLDEN = Path(__file__).with_name("names_golden.json")
SERVICE_NAME = "orders-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-west-1.on.aws"
RESOURCE_NAME = "snra-0aaaaaaaaaaaaaaaa.rcfg-0bbbbbbbbbbbbbbbb.4232ccc.vpc-lattice-rsc.eu-west-1.on.aws"
ALIAS = {"HostedZoneId": "Z1", "DNSName": SERVICE_NAME, "EvaluateTargetHealth": False}


def record(name: str, type_: str, *values: str, ttl: int = 300) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}


def vpc(id_: str, cidr: str, *, support: bool = True, hostnames: bool = True) -> Vpc:
    return Vpc(id_, f"arn:aws:ec2:eu-west-1:111122223333:vpc/{id_}", "111122223333", (IPv4Network(cidr),), support, hostnames)


def region() -> World:
    """vpc-a is a client of the service network, vpc-b is not; both have the hosted zone."""
    zone = HostedZone(
        "Z0EXAMPLE",
        "Example.com.",
        ("vpc-a", "vpc-b"),
        (
            record("example.com.", "SOA", "ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", ttl=900),
            record("\\052.dev.example.com.", "A", "10.1.0.7"),
            record("mail.example.com.", "MX", "10 mx1.example.com", "20 mx2.example.com."),
            record("txt.example.com.", "TXT", '"v=spf1 \\052 all"'),
            {"Name": "logging.example.com.", "Type": "A", "AliasTarget": ALIAS},
            {"Name": "log.example.com.", "Type": "A", "AliasTarget": {**ALIAS, "DNSName": "Logging.example.com"}},
            {**record("many.example.com.", "A", "10.1.0.1"), "SetIdentifier": "one", "MultiValueAnswer": True},
            {**record("many.example.com.", "A", "10.1.0.2"), "SetIdentifier": "two", "MultiValueAnswer": True},
        ),
    )
    web = Instance(
        id="i-0web", arn="arn:aws:ec2:eu-west-1:111122223333:instance/i-0web", account="111122223333", vpc_id="vpc-a", subnet_id="subnet-a",
        availability_zone="eu-west-1a", state="running", instance_type="t3.micro", image_id="ami-0host", private_ip=IPv4Address("10.1.2.3"),
        interface_ids=("eni-0a",), security_group_ids=("sg-0a",), user_data=base64.b64encode(b"#!/bin/sh\necho \xff\n").decode(),
        role_arn="arn:aws:iam::111122223333:role/service/web", role_name="web",
        instance_profile_arn="arn:aws:iam::111122223333:instance-profile/web", boot="1",
        metadata_options={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled", "InstanceMetadataTags": "enabled"},
        tags={"Name": "web", "a/b": "cannot be a path", "..": "nor can this"}, launch_time="2026-01-02T03:04:05.678Z", reservation_id="r-0",
        availability_zone_id="euw1-az1", architecture="x86_64", instance_profile_id="AIPA0WEB", monitoring="enabled",
        private_dns_name="ip-10-1-2-3.eu-west-1.compute.internal",
    )  # fmt: skip
    return World(
        region="eu-west-1",
        revision=7,
        now="2026-01-02T03:04:05.678Z",
        vpcs=(vpc("vpc-a", "10.1.0.0/16"), vpc("vpc-b", "10.1.0.0/16")),
        subnets=(Subnet("subnet-a", "vpc-a", IPv4Network("10.1.2.0/24"), "eu-west-1a", "rtb-a", "acl-a"),),
        security_groups=(SecurityGroup("sg-0a", "vpc-a", "web-group", ()),),
        network_interfaces=(
            NetworkInterface("eni-0a", "vpc-a", "subnet-a", (IPv4Address("10.1.2.3"),), "02:00:00:00:00:01", ("sg-0a",), instance_id="i-0web"),
            NetworkInterface("eni-0b", "vpc-a", "subnet-a", (IPv4Address("10.1.2.9"),), "02:00:00:00:00:02", ("sg-0a",)),
        ),
        instances=(web, replace(web, id="i-0stopped", state="stopped", interface_ids=())),
        service_networks=(ServiceNetwork("sn-0", "arn:sn", "111122223333", "NONE", ""),),
        services=(
            Service("svc-0123456789abcdef0", "arn:svc", "111122223333", "orders", "NONE", "", SERVICE_NAME, "orders.example.org", 60, ()),
            Service("svc-0other", "arn:other", "111122223333", "other", "NONE", "", f"other-{SERVICE_NAME}", "", 60, ()),
        ),
        vpc_associations=(VpcAssociation("snva-0", "arn:snva", "sn-0", "vpc-a", (), private_dns_enabled=True),),
        service_associations=(ServiceAssociation("snsa-0", "arn:snsa", "sn-0", "svc-0123456789abcdef0"),),
        resource_gateways=(ResourceGateway("rgw-0", "arn:rgw", "vpc-c", (), (), ()),),
        resource_configurations=(
            ResourceConfiguration(
                "rcfg-0bbbbbbbbbbbbbbbb", "arn:rcfg", "111122223333", "SINGLE", "rgw-0", "TCP", ((6379, 6379),),
                {"ipResource": {"ipAddress": "10.3.0.5"}}, "redis.example.com", "", has_policy=False, domain_verified=True,
            ),
        ),
        resource_associations=(
            ResourceAssociation(
                "snra-0", "arn:snra", "sn-0", "rcfg-0bbbbbbbbbbbbbbbb", IPv4Address("129.224.0.9"), private_dns_enabled=True, dns_name=RESOURCE_NAME
            ),
        ),
        hosted_zones=(zone,),
    )  # fmt: skip


def resolver(world: World, vpc_id: str) -> Resolver:
    return next(item for item in compile_names(Units(world, Memo())).resolvers if item.vpc_id == vpc_id)


def names(world: World, vpc_id: str = "vpc-a") -> dict[tuple[str, str], tuple[str, ...]]:
    return {(item.name, item.type): item.values for zone in resolver(world, vpc_id).zones for item in zone.records}


def origins(world: World, vpc_id: str = "vpc-a") -> set[str]:
    return {zone.origin for zone in resolver(world, vpc_id).zones}


def metadata(world: World) -> MetadataInstance:
    (found,) = compile_names(Units(world, Memo())).metadata
    return found


def with_private_dns(**changes: Any) -> World:
    """The region with other private DNS settings: of the resource association, the VPC association and the resource configuration."""
    world = region()
    resource = replace(world.resource_associations[0], private_dns_enabled=changes.get("resource", True))
    association = replace(world.vpc_associations[0], private_dns_enabled=changes.get("vpc", True), dns_options=changes.get("options", {}))
    configuration = replace(
        world.resource_configurations[0],
        domain_verified=changes.get("verified", False),
        definition=changes.get("definition", world.resource_configurations[0].definition),
        type=changes.get("type", world.resource_configurations[0].type),
    )
    return replace(world, resource_associations=(resource,), vpc_associations=(association,), resource_configurations=(configuration,))


def test_the_whole_plan_is_the_golden_one() -> None:
    assert json.loads(json.dumps(asdict(compile_names(Units(region(), Memo()))))) == json.loads(GOLDEN.read_text())


def test_the_order_of_rows_does_not_matter() -> None:
    world = region()
    shuffled = replace(world, network_interfaces=world.network_interfaces[::-1], services=world.services[::-1], instances=world.instances[::-1])
    assert compile_names(Units(shuffled, Memo())) == compile_names(Units(world, Memo()))


def test_without_dns_support_nothing_listens() -> None:
    world = replace(region(), vpcs=(vpc("vpc-a", "10.1.0.0/16", support=False),))
    assert resolver(world, "vpc-a") == Resolver("vpc-a", "vpc-a", (), (), enabled=False)


def test_without_dns_hostnames_only_the_generated_names_answer() -> None:
    world = replace(region(), vpcs=(vpc("vpc-a", "10.1.0.0/16", hostnames=False),))
    assert names(world) == {(SERVICE_NAME + ".", "A"): ("169.254.171.32",), (RESOURCE_NAME + ".", "A"): ("129.224.0.9",)}


def test_generated_names_answer_only_in_vpcs_of_the_service_network() -> None:
    assert (SERVICE_NAME + ".", "A") in names(region(), "vpc-a")
    assert (SERVICE_NAME + ".", "A") not in names(region(), "vpc-b")
    assert (f"other-{SERVICE_NAME}.", "A") not in names(region(), "vpc-a")


def test_a_services_custom_domain_name_is_not_published() -> None:
    assert not any("orders.example.org" in name for name, _ in names(region()))


def test_aliases_answer_where_their_target_does() -> None:
    assert names(region(), "vpc-a")["log.example.com.", "A"] == ("169.254.171.32",)
    assert ("log.example.com.", "A") not in names(region(), "vpc-b")


def test_aliases_in_a_circle_answer_nothing() -> None:
    circle = tuple({"Name": f"{one}.example.com.", "Type": "A", "AliasTarget": {**ALIAS, "DNSName": f"{two}.example.com."}} for one, two in ("ab", "ba"))
    world = region()
    world = replace(world, hosted_zones=(replace(world.hosted_zones[0], records=circle),))
    assert not any(name.endswith(".example.com.") and type_ == "A" for name, type_ in names(world, "vpc-b"))


def test_an_alias_does_not_see_a_name_that_a_more_specific_zone_hides() -> None:
    world = region()
    zone = world.hosted_zones[0]
    records = (record("x.sub.example.com.", "A", "10.1.0.1"), {"Name": "y.example.com.", "Type": "A", "AliasTarget": {"DNSName": "x.sub.example.com."}})
    hiding = HostedZone("Z1", "sub.example.com.", ("vpc-a",), ())
    world = replace(world, hosted_zones=(replace(zone, records=records), hiding))
    assert ("y.example.com.", "A") not in names(world, "vpc-a")
    assert names(world, "vpc-b")["y.example.com.", "A"] == ("10.1.0.1",)


def test_routing_policies_are_reported_not_served() -> None:
    world = region()
    nearest = {**record("w.example.com.", "A", "10.1.0.1"), "SetIdentifier": "blue", "Region": "eu-west-1"}
    world = replace(world, hosted_zones=(replace(world.hosted_zones[0], records=(nearest,)),))
    assert ("w.example.com.", "A") not in names(world)
    (problem,) = Units(world, Memo()).follow(names_problems)
    assert (problem.kind, problem.id) == ("route53:HostedZone", "Z0EXAMPLE")
    assert "w.example.com. A (blue)" in problem.message
    assert Units(region(), Memo()).follow(names_problems) == ()


def test_weighted_records_and_aliases_keep_their_weights() -> None:
    world = region()
    heavy = {**record("w.example.com.", "A", "10.1.0.1"), "SetIdentifier": "blue", "Weight": 10}
    light = {"Name": "w.example.com.", "Type": "A", "SetIdentifier": "green", "Weight": 1, "AliasTarget": {"DNSName": "x.example.com."}}
    none = {**record("w.example.com.", "A", "10.1.0.9"), "SetIdentifier": "red", "Weight": 0}
    plain = record("x.example.com.", "A", "10.1.0.2")
    world = replace(world, hosted_zones=(replace(world.hosted_zones[0], records=(heavy, light, none, plain)),))
    (zone,) = [found for found in resolver(world, "vpc-a").zones if found.origin == "example.com."]
    assert {(item.values, item.weight) for item in zone.records if item.name == "w.example.com."} == {
        (("10.1.0.1",), 10),
        (("10.1.0.2",), 1),
        (("10.1.0.9",), 0),
    }
    assert set(Zones([zone]).addresses("w.example.com")) == {"10.1.0.1", "10.1.0.2"}


def test_a_hosted_zone_wins_over_the_vpcs_own_zone_of_the_same_name() -> None:
    world = region()
    mine = HostedZone("Z1", "eu-west-1.compute.internal", ("vpc-a",), (record("x.eu-west-1.compute.internal.", "A", "10.1.0.9"),))
    assert ("ip-10-1-2-3.eu-west-1.compute.internal.", "A") not in names(replace(world, hosted_zones=(mine,)))


def test_us_east_1_has_its_own_domain() -> None:
    found = names(replace(region(), region="us-east-1"))
    assert found["ip-10-1-2-3.ec2.internal.", "A"] == ("10.1.2.3",)
    assert found["3.2.1.10.in-addr.arpa.", "PTR"] == ("ip-10-1-2-3.ec2.internal.",)


SPECIFIED = {"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": ["*.example.com"]}
BOTH = {"privateDnsPreference": "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "privateDnsSpecifiedDomains": ["other.example.com"]}


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ({"verified": True}, True),
        ({"verified": False}, False),
        ({"verified": True, "resource": False}, False),
        ({"verified": True, "vpc": False}, False),
        ({"options": {"privateDnsPreference": "ALL_DOMAINS"}}, True),
        ({"options": SPECIFIED}, True),
        ({"options": {**SPECIFIED, "privateDnsSpecifiedDomains": ["redis.example.com"]}}, True),
        ({"options": {**SPECIFIED, "privateDnsSpecifiedDomains": ["example.com"]}, "verified": True}, False),
        ({"options": BOTH}, False),
        ({"options": BOTH, "verified": True}, True),
        ({"type": "ARN", "verified": True, "vpc": False}, True),
        ({"type": "ARN", "verified": True, "vpc": False, "resource": False}, False),
    ],
)
def test_private_zones_for_custom_domain_names_of_resources(changes: dict[str, Any], *, made: bool) -> None:
    assert ("redis.example.com." in origins(with_private_dns(**changes))) is made


@pytest.mark.parametrize(
    ("target", "resolution", "made"),
    [
        ("redis.example.com", "IN_VPC", False), ("a.redis.example.com", "IN_VPC", False), ("redis.internal", "IN_VPC", True),
        ("redis.example.com", "PUBLIC", True),
    ],
)  # fmt: skip
def test_no_private_zone_that_would_hide_the_target_in_its_own_vpc(target: str, resolution: str, *, made: bool) -> None:
    world = with_private_dns(verified=True, definition={"dnsResource": {"domainName": target}})
    world = replace(world, resource_gateways=(replace(world.resource_gateways[0], vpc_id="vpc-a", resolution=resolution),))
    assert ("redis.example.com." in origins(world)) is made


def test_a_domain_that_lost_its_verification_goes_on_for_what_was_there_before() -> None:
    world = with_private_dns(verified=False)
    lost = replace(world.resource_configurations[0], verification_lost_at="2026-01-02T03:00:00.000Z")
    for created, made in (("2026-01-02T02:59:59.999Z", True), ("2026-01-02T03:00:00.001Z", False)):
        resource = replace(world.resource_associations[0], created_at=created)
        found = origins(replace(world, resource_configurations=(lost,), resource_associations=(resource,)))
        assert ("redis.example.com." in found) is made


@pytest.mark.parametrize(("specified", "domain", "zone"), [("*.kafka.example.com", "kafka.example.com", True), ("*.redis.example.com", "", False)])
def test_children_share_the_zone_of_their_group_s_domain(specified: str, domain: str, *, zone: bool) -> None:
    world = with_private_dns(options={"privateDnsPreference": "SPECIFIED_DOMAINS_ONLY", "privateDnsSpecifiedDomains": [specified]})
    child = replace(world.resource_configurations[0], type="CHILD", group_id="rcfg-0", group_domain=domain)
    children = tuple(replace(child, id=f"rcfg-{n}", custom_domain_name=f"b{n}.kafka.example.com") for n in (1, 2))
    resources = tuple(
        replace(world.resource_associations[0], id=f"snra-{n}", resource_configuration_id=f"rcfg-{n}", address=IPv4Address(f"129.224.0.{n}")) for n in (1, 2)
    )
    found = {item.origin: item for item in resolver(replace(world, resource_configurations=children, resource_associations=resources), "vpc-a").zones}
    assert ("kafka.example.com." in found) is zone
    if zone:
        assert [(record.name, record.values) for record in found["kafka.example.com."].records] == [
            ("b1.kafka.example.com.", ("129.224.0.1",)), ("b2.kafka.example.com.", ("129.224.0.2",)),
        ]  # fmt: skip


def test_public_zones_answer_where_no_private_zone_is_above_them() -> None:
    world = region()
    public = [
        HostedZone(f"Z{index}", name, (), (record(f"www.{name}", "A", "10.9.0.9"),))
        for index, name in enumerate(("example.org.", "sub.example.com.", "example.com.", "example.org."))
    ]
    world = replace(world, hosted_zones=(*world.hosted_zones, *public))
    assert "example.org." in origins(world)
    assert "sub.example.com." not in origins(world)
    assert {"example.org.", "sub.example.com.", "example.com."} == {zone.origin for zone in public_zones(world)}


def test_user_data_comes_out_byte_for_byte() -> None:
    text = dict(metadata(region()).documents)["user-data"]
    assert text.encode("utf-8", "surrogateescape") == b"#!/bin/sh\necho \xff\n"


def test_tags_and_roles_are_there_only_when_given() -> None:
    world = region()
    documents = dict(metadata(world).documents)
    assert {path: text for path, text in documents.items() if "/tags/" in path} == {"meta-data/tags/instance/Name": "web"}
    plain = replace(world.instances[0], role_name="", role_arn="", metadata_options={}, user_data="")
    documents = dict(metadata(replace(world, instances=(plain,))).documents)
    assert not [path for path in documents if path.startswith(("meta-data/tags", "meta-data/iam", "user-data"))]
    defaults = metadata(replace(world, instances=(plain,)))
    assert (defaults.http_tokens, defaults.http_endpoint, defaults.hop_limit) == ("required", "enabled", 2)
