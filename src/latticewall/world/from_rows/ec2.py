"""EC2's rows as the world sees them (where each part is found: services/ec2/kinds.py)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

from latticewall.base.rows import Row
from latticewall.world.from_rows.rows import Rows, family_first, networks, text
from latticewall.world.types import (
    Instance,
    Network,
    NetworkAcl,
    NetworkAclEntry,
    NetworkInterface,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)

STATES = {"creating": "pending", "starting": "pending", "ready": "running", "updating": "running", "stopping": "stopping", "stopped": "stopped"}
TARGETS = ("GatewayId", "TransitGatewayId", "NetworkInterfaceId", "NatGatewayId", "VpcPeeringConnectionId", "VpcEndpointId")

RECORDS = {"A": "EnableResourceNameDnsARecord", "AAAA": "EnableResourceNameDnsAAAARecord"}


def build_vpcs(rows: Rows) -> tuple[Vpc, ...]:
    return tuple(
        Vpc(
            id=row.id, arn=row.arn, account=row.account,
            cidrs=tuple(IPv4Network(item["CidrBlock"]) for item in row.document["CidrBlockAssociationSet"]),
            dns_support=bool(row.document.get("_EnableDnsSupport", True)), dns_hostnames=bool(row.document.get("_EnableDnsHostnames", False)),
            ipv6_cidrs=_ipv6_blocks(row),
        )
        for row in rows.of("ec2:Vpc")
    )  # fmt: skip


def _ipv6_blocks(row: Row) -> tuple[IPv6Network, ...]:
    return tuple(IPv6Network(item["Ipv6CidrBlock"]) for item in row.document.get("Ipv6CidrBlockAssociationSet") or ())


def build_subnets(rows: Rows) -> tuple[Subnet, ...]:
    tables, main = _associations(rows)
    acls = {item["SubnetId"]: acl.id for acl in rows.of("ec2:NetworkAcl") for item in acl.document.get("Associations") or ()}
    found = []
    for row in rows.of("ec2:Subnet"):
        document = row.document
        table = tables.get(row.id) or main.get(document["VpcId"], "")
        cidr = IPv4Network(document["CidrBlock"]) if "CidrBlock" in document else None
        ipv6 = next(iter(_ipv6_blocks(row)), None)
        found.append(Subnet(row.id, document["VpcId"], cidr, document["AvailabilityZone"], table, acls.get(row.id, ""), ipv6))
    return tuple(found)


def _associations(rows: Rows) -> tuple[dict[str, str], dict[str, str]]:
    """Subnet id -> its explicitly associated table; VPC id -> its main table."""
    explicit: dict[str, str] = {}
    main: dict[str, str] = {}
    for table in rows.of("ec2:RouteTable"):
        for association in table.document.get("Associations") or ():
            if association.get("Main"):
                main[table.document["VpcId"]] = table.id
            elif association.get("SubnetId"):
                explicit[association["SubnetId"]] = table.id
    return explicit, main


def build_route_tables(rows: Rows) -> tuple[RouteTable, ...]:
    prefix_lists = {item.id: item.cidrs for item in build_prefix_lists(rows)}
    return tuple(RouteTable(row.id, row.document["VpcId"], _routes(row, prefix_lists)) for row in rows.of("ec2:RouteTable"))


def _routes(row: Row, prefix_lists: dict[str, tuple[Network, ...]]) -> tuple[Route, ...]:
    """A written route hides a prefix list's route of the same destination."""
    found: dict[Network, Route] = {}
    for route in row.document.get("Routes") or ():
        target = next((text(route[member]) for member in TARGETS if route.get(member)), "")
        if written := route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock"):
            found[ip_network(written)] = Route(ip_network(written), target, route.get("Origin", "CreateRoute"))
        for cidr in prefix_lists.get(route.get("DestinationPrefixListId", ""), ()):
            found.setdefault(cidr, Route(cidr, target, route.get("Origin", "CreateRoute")))
    return tuple(found[cidr] for cidr in sorted(found, key=family_first))


def build_security_groups(rows: Rows) -> tuple[SecurityGroup, ...]:
    return tuple(
        SecurityGroup(row.id, row.document["VpcId"], row.name, tuple(_group_rule(rule) for rule in rows.children("ec2:SecurityGroupRule", row.id)))
        for row in rows.of("ec2:SecurityGroup")
    )


def _group_rule(row: Row) -> SecurityGroupRule:
    document = row.document
    block = document.get("CidrIpv4") or document.get("CidrIpv6")
    return SecurityGroupRule(
        id=row.id, egress=bool(document["IsEgress"]), protocol=text(document["IpProtocol"]), from_port=_port(document.get("FromPort")),
        to_port=_port(document.get("ToPort")), cidr=ip_network(block) if block else None,
        group_id=text((document.get("ReferencedGroupInfo") or {}).get("GroupId")), prefix_list_id=text(document.get("PrefixListId")),
    )  # fmt: skip


def _port(value: Any) -> int:
    return -1 if value is None else int(value)


def build_network_acls(rows: Rows) -> tuple[NetworkAcl, ...]:
    return tuple(
        NetworkAcl(row.id, row.document["VpcId"], tuple(_acl_entry(item) for item in row.document.get("Entries") or ()))
        for row in rows.of("ec2:NetworkAcl")
    )


def _acl_entry(item: dict[str, Any]) -> NetworkAclEntry:
    protocol = text(item["Protocol"])
    ports, kind = item.get("PortRange") or {}, item.get("IcmpTypeCode") or {}
    first, last = (kind.get("Type", -1), kind.get("Code", -1)) if protocol in ("1", "icmp", "58", "icmpv6") else (ports.get("From", 0), ports.get("To", 65535))
    block = ip_network(item.get("CidrBlock") or item["Ipv6CidrBlock"])
    return NetworkAclEntry(int(item["RuleNumber"]), bool(item["Egress"]), item["RuleAction"] == "allow", protocol, block, int(first), int(last))


def build_prefix_lists(rows: Rows) -> tuple[PrefixList, ...]:
    return tuple(
        PrefixList(row.id, row.name, networks(item.get("Cidr") for item in row.document.get("_Entries") or ())) for row in rows.of("ec2:ManagedPrefixList")
    )


def build_network_interfaces(rows: Rows) -> tuple[NetworkInterface, ...]:
    return tuple(_interface(row) for row in rows.of("ec2:NetworkInterface"))


def _interface(row: Row) -> NetworkInterface:
    document = row.document
    attachment = document.get("Attachment") or {}
    return NetworkInterface(
        id=row.id, vpc_id=document["VpcId"], subnet_id=document["SubnetId"],
        addresses=tuple(IPv4Address(item["PrivateIpAddress"]) for item in document["PrivateIpAddresses"]), mac=text(document.get("MacAddress")),
        security_group_ids=tuple(group["GroupId"] for group in document.get("Groups") or ()), source_dest_check=bool(document.get("SourceDestCheck", True)),
        instance_id=text(attachment.get("InstanceId")), device_index=int(attachment.get("DeviceIndex") or 0),
        interface_type=document.get("InterfaceType", "interface"),
        ipv6_addresses=tuple(IPv6Address(item["Ipv6Address"]) for item in document.get("Ipv6Addresses") or ()),
    )  # fmt: skip


def build_instances(rows: Rows) -> tuple[Instance, ...]:
    interfaces: dict[str, list[NetworkInterface]] = {}
    for interface in build_network_interfaces(rows):
        interfaces.setdefault(interface.instance_id, []).append(interface)
    return tuple(_instance(rows, row, sorted(interfaces.get(row.id, []), key=lambda item: item.device_index)) for row in rows.of("ec2:Instance"))


def _instance(rows: Rows, row: Row, interfaces: list[NetworkInterface]) -> Instance:
    document = row.document
    profile_arn = text((document.get("IamInstanceProfile") or {}).get("Arn"))
    role = _role_of(rows, profile_arn)
    return Instance(
        id=row.id, arn=row.arn, account=row.account, vpc_id=document["VpcId"], subnet_id=document["SubnetId"],
        availability_zone=document["Placement"]["AvailabilityZone"], state=STATES.get(row.status, "terminated"), instance_type=document["InstanceType"],
        image_id=document["ImageId"], private_ip=_address(document.get("PrivateIpAddress")), interface_ids=tuple(item.id for item in interfaces),
        security_group_ids=interfaces[0].security_group_ids if interfaces else (), user_data=text(document.get("_UserData")),
        role_arn=role.arn if role else "", role_name=role.name if role else "", instance_profile_arn=profile_arn, boot=text(document.get("_Boot")),
        metadata_options=dict(document.get("MetadataOptions") or {}), tags=dict(row.tags), launch_time=text(document.get("LaunchTime")),
        reservation_id=text(document.get("_ReservationId")), launch_index=int(document.get("AmiLaunchIndex") or 0),
        availability_zone_id=text(document["Placement"].get("AvailabilityZoneId")), architecture=text(document.get("Architecture")),
        instance_profile_id=text((document.get("IamInstanceProfile") or {}).get("Id")),
        monitoring=text((document.get("Monitoring") or {}).get("State")) or "disabled", private_dns_name=text(document.get("PrivateDnsName")),
        resource_name_records=frozenset(type_ for type_, option in RECORDS.items() if (document.get("PrivateDnsNameOptions") or {}).get(option)),
    )  # fmt: skip


def _address(written: Any) -> IPv4Address | None:
    return IPv4Address(written) if written else None


def _role_of(rows: Rows, profile_arn: str) -> Row | None:
    profile = rows.by_arn("iam:InstanceProfile", profile_arn) if profile_arn else None
    return rows.get("iam:Role", text(profile.document.get("_role"))) if profile else None
