"""Application Load Balancers ("Application Load Balancers", "CreateLoadBalancer").

A load balancer has one network interface per subnet: its address is reserved there, and its security groups count as groups of the VPC.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.elbv2 import access_logs, find, text
from latticewall.services.elbv2.attributes import LOAD_BALANCER_DEFAULTS
from latticewall.services.elbv2.nouns import LOAD_BALANCER, SECURITY_GROUP, SUBNET, TARGET_GROUP
from latticewall.services.elbv2.view import balancer_of

LIMIT = 50
"""Application Load Balancers per Region ("Quotas for your Application Load Balancers")."""
FEWEST_ZONES = 2
TYPES = ("ipv4", "dualstack")
MOST_GROUPS = 5
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,32}(?<!-)")
_ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K", "us-east-2": "Z3AADJGX6KTTL2", "us-west-1": "Z368ELLRRE2KJ0", "us-west-2": "Z1H1FL5HABSF5",
    "eu-central-1": "Z215JYRZR1TBD5", "eu-west-1": "Z32O12XQLNTSW2", "eu-west-2": "ZHURV8PSTC4K8",
}  # fmt: skip
"""Hosted zones of load balancers' names ("Elastic Load Balancing endpoints and quotas"), of the Regions most used."""


def canonical_zone(region: str) -> str:
    """The hosted zone of the region's load balancers, a constant; made up for a region that is not listed."""
    return _ZONES.get(region) or "Z" + base64.b32encode(hashlib.sha256(f"elb.{region}".encode()).digest()).decode()[:13]


def check_name(member: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise text.invalid(member, f"The name '{name}' can have at most 32 letters, digits and hyphens, and must not begin or end with a hyphen")
    return name


def create_load_balancer(ctx: Context, params: Document) -> Document:
    """CreateLoadBalancer; the same once more answers with what is there."""
    name = check_name("Name", params["Name"])
    if name.startswith("internal-"):
        raise text.invalid("Name", f"The load balancer name '{name}' cannot begin with 'internal-'")
    asked = {member: value for member, value in params.items() if member != "Tags"}
    for existing in ctx.live(LOAD_BALANCER, name=name):
        if existing.document["_asked"] == asked and existing.status != "deleting":
            return {"LoadBalancers": [ctx.view(existing)]}
        raise text.refused("DuplicateLoadBalancerName", f"A load balancer with the same name '{name}' exists, but with different settings")
    _check_type(params)
    if len(find.present(ctx, LOAD_BALANCER)) >= LIMIT:
        raise text.too_many("TooManyLoadBalancers", f"The limit of {LIMIT} Application Load Balancers per Region has been reached")
    type_ = params.get("IpAddressType") or "ipv4"
    subnets = _subnets(ctx, params, type_)
    vpc_id = subnets[0].document["VpcId"]
    groups = _security_groups(ctx, vpc_id, params.get("SecurityGroups") or ())
    identifier = f"app/{name}/{ctx.new_id(digits=16)}"
    region = ctx.caller.region
    document: Document = {
        "DNSName": f"internal-{name}-{int(ctx.new_id(digits=8), 16)}.{region}.elb.amazonaws.com", "CanonicalHostedZoneId": canonical_zone(region),
        "Scheme": "internal", "VpcId": vpc_id, "IpAddressType": type_, "SecurityGroups": groups, "_attributes": dict(LOAD_BALANCER_DEFAULTS),
        "_asked": asked, "AvailabilityZones": [], "_nodes": [],
    }  # fmt: skip
    given = tags.read(params.get("Tags"))
    access_logs.check_tags(given)
    row = ctx.create(LOAD_BALANCER, document, id=identifier, name=name, tags=given, refs={"Vpc": vpc_id})
    for group in groups:
        ctx.refer(row, "SecurityGroups", group)
    row = _live_in(ctx, row, subnets, type_)
    return {"LoadBalancers": [ctx.view(row)]}


def _check_type(params: Document) -> None:
    """What there is of load balancers: application, internal, IPv4 or dual stack."""
    if (params.get("Type") or "application") != "application":
        raise text.unsupported("Type", f"Load balancers of type {params['Type']} are not supported; application is")
    if (params.get("Scheme") or "internet-facing") != "internal":
        message = "Load balancers with scheme internet-facing are not supported: a region has no Internet; internal is"
        raise text.refused("InvalidScheme", message)
    if (params.get("IpAddressType") or "ipv4") not in TYPES:
        raise text.configuration(f"IP address type {params['IpAddressType']} is not for internal Application Load Balancers; {' and '.join(TYPES)} are")
    for member in ("CustomerOwnedIpv4Pool", "EnablePrefixForIpv6SourceNat", "IpamPools"):
        if params.get(member) not in (None, "", "off", {}):
            raise text.unsupported(member, f"{member} is not supported for internal Application Load Balancers")


def _subnets(ctx: Context, params: Document, type_: str) -> list[Row]:
    """At least two subnets of one VPC, each in a zone of its own; with IPv6 blocks for a load balancer that is dual-stack."""
    given, mapped = params.get("Subnets") or [], params.get("SubnetMappings") or []
    if bool(given) == bool(mapped):
        raise text.invalid("Subnets", "You must specify either subnets or subnet mappings" + (", but not both" if given else ""))
    for mapping in mapped:
        for member in ("AllocationId", "PrivateIPv4Address", "IPv6Address", "SourceNatIpv6Prefix"):
            if mapping.get(member):
                raise text.configuration(f"{member} cannot be specified for an Application Load Balancer")
    found: list[Row] = []
    for identifier in given or [mapping.get("SubnetId") or "" for mapping in mapped]:
        row = ctx.find(SUBNET, identifier)
        if row is None:
            raise text.not_found(SUBNET, f"The subnet ID '{identifier}' does not exist")
        found.append(row)
    _check_blocks(found, type_)
    zones = [row.document["AvailabilityZone"] for row in found]
    if len({row.document["VpcId"] for row in found}) > 1:
        raise text.configuration("The subnets must be in the same VPC")
    if len(set(zones)) < len(zones):
        raise text.configuration("A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    if len(zones) < FEWEST_ZONES:
        raise text.invalid("Subnets", "At least two subnets in two different Availability Zones must be specified")
    for row in found:
        if row.document["Ipv6Native"]:
            raise text.refused("InvalidSubnet", f"The subnet '{row.id}' is an IPv6-only subnet: a load balancer needs subnets with IPv4")
    return found


def _check_blocks(subnets: Sequence[Row], type_: str) -> None:
    for row in subnets:
        if type_ == "dualstack" and not row.document.get("Ipv6CidrBlockAssociationSet"):
            raise text.refused("InvalidSubnet", f"The subnet '{row.id}' has no IPv6 CIDR block: a load balancer of type dualstack needs one in each subnet")


def _security_groups(ctx: Context, vpc_id: str, identifiers: Sequence[str]) -> list[str]:
    """The groups, all of the VPC; the VPC's default one when none is given."""
    found = list(dict.fromkeys(identifiers))
    if len(found) > MOST_GROUPS:
        raise text.configuration(f"A load balancer can have at most {MOST_GROUPS} security groups")
    for identifier in found:
        row = ctx.find(SECURITY_GROUP, identifier)
        if row is None or row.document["VpcId"] != vpc_id:
            raise text.refused("InvalidSecurityGroup", f"One or more security groups are invalid: {identifier} does not belong to VPC {vpc_id}")
    if found:
        return found
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    return [str(ctx.call("ec2:DescribeSecurityGroups", {"Filters": filters})["SecurityGroups"][0]["GroupId"])]


def _live_in(ctx: Context, row: Row, subnets: Sequence[Row], type_: str) -> Row:
    """Give the load balancer a network interface in each of the subnets, and in no other; those that it has already stay, with the addresses of its type."""
    present = {node["SubnetId"]: node for node in row.document["_nodes"]}
    nodes: list[dict[str, str]] = []
    for subnet in subnets:
        node = present.pop(subnet.id, None)
        nodes.append(_addressed(ctx, row, node, type_) if node else _new_node(ctx, row, subnet, type_))
    for node in present.values():
        ctx.forget(row, "Interfaces", node["InterfaceId"])
        ctx.call("ec2:DeleteNetworkInterface", {"NetworkInterfaceId": node["InterfaceId"]})
        ctx.forget(row, "Subnets", node["SubnetId"])
    zones = [
        {"ZoneName": subnet.document["AvailabilityZone"], "SubnetId": subnet.id, "LoadBalancerAddresses": []}
        for subnet in sorted(subnets, key=lambda item: str(item.document["AvailabilityZone"]))
    ]
    return ctx.change(row, {"AvailabilityZones": zones, "_nodes": nodes, "IpAddressType": type_}, settle=True)


def _new_node(ctx: Context, row: Row, subnet: Row, type_: str) -> dict[str, str]:
    """EC2 picks the addresses."""
    try:
        wanted: dict[str, Any] = {"SubnetId": subnet.id, "Description": f"ELB {row.id}", "Groups": row.document["SecurityGroups"]}
        if type_ == "dualstack":
            wanted["Ipv6AddressCount"] = 1
        made = ctx.call("ec2:CreateNetworkInterface", wanted)["NetworkInterface"]
    except Fault as fault:  # EC2's codes mean nothing to ELB's clients
        raise text.refused("InvalidSubnet", fault.message) from fault
    ctx.refer(row, "Interfaces", made["NetworkInterfaceId"])
    ctx.refer(row, "Subnets", subnet.id)
    found = {"SubnetId": subnet.id, "InterfaceId": made["NetworkInterfaceId"], "Address": made["PrivateIpAddress"]}
    return {**found, "Ipv6Address": made["Ipv6Addresses"][0]["Ipv6Address"]} if type_ == "dualstack" else found


def _addressed(ctx: Context, row: Row, node: dict[str, str], type_: str) -> dict[str, str]:
    """The node with an IPv6 address or without."""
    present = node.get("Ipv6Address")
    if type_ == "dualstack" and not present:
        given = ctx.call("ec2:AssignIpv6Addresses", {"NetworkInterfaceId": node["InterfaceId"], "Ipv6AddressCount": 1})
        return {**node, "Ipv6Address": given["AssignedIpv6Addresses"][0]}
    if type_ == "ipv4" and present:
        ctx.forget(row, "Interfaces", node["InterfaceId"])  # while it is used nobody takes its addresses away
        ctx.call("ec2:UnassignIpv6Addresses", {"NetworkInterfaceId": node["InterfaceId"], "Ipv6Addresses": [present]})
        ctx.refer(row, "Interfaces", node["InterfaceId"])
        return {member: value for member, value in node.items() if member != "Ipv6Address"}
    return node


def delete_load_balancer(ctx: Context, params: Document) -> Document:
    """DeleteLoadBalancer, with its listeners; one that is gone already is no error. Not while protected."""
    row = ctx.find(LOAD_BALANCER, params["LoadBalancerArn"])
    if row is None:
        return {}
    if row.document["_attributes"]["deletion_protection.enabled"] == "true":
        raise text.refused("OperationNotPermitted", f"Load balancer '{row.arn}' cannot be deleted because deletion protection is enabled")
    ctx.remove(row)
    return {}


def set_security_groups(ctx: Context, params: Document) -> Document:
    """SetSecurityGroups: exactly these from now on."""
    row = find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"])
    if params.get("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"):
        raise text.configuration("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic is for Network Load Balancers only")
    if not params["SecurityGroups"]:
        raise text.invalid("SecurityGroups", "At least one security group must be specified")
    groups = _security_groups(ctx, row.document["VpcId"], params["SecurityGroups"])
    for node in row.document["_nodes"]:
        ctx.call("ec2:ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": node["InterfaceId"], "Groups": groups})
    ctx.forget(row, "SecurityGroups")
    for group in groups:
        ctx.refer(row, "SecurityGroups", group)
    ctx.change(row, {"SecurityGroups": groups}, settle=True)
    return {"SecurityGroupIds": groups}


def set_subnets(ctx: Context, params: Document) -> Document:
    """SetSubnets: exactly these from now on; the addresses in subnets that stay stay too."""
    row = find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"])
    _check_type({**params, "Scheme": "internal"})
    type_ = params.get("IpAddressType") or row.document["IpAddressType"]
    subnets = _subnets(ctx, params, type_)
    if subnets[0].document["VpcId"] != row.document["VpcId"]:
        raise text.configuration(f"The subnets must be in the load balancer's VPC {row.document['VpcId']}")
    _check_groups(ctx, row, type_)
    changed = _live_in(ctx, row, subnets, type_)
    return {"AvailabilityZones": changed.document["AvailabilityZones"], "IpAddressType": type_}


def set_ip_address_type(ctx: Context, params: Document) -> Document:
    """SetIpAddressType: its nodes get IPv6 addresses, or give them back."""
    row = find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"])
    type_ = params["IpAddressType"]
    _check_type({"Scheme": "internal", "IpAddressType": type_})
    subnets = ctx.referred(row, "Subnets")
    _check_blocks(subnets, type_)
    _check_groups(ctx, row, type_)
    _live_in(ctx, row, subnets, type_)
    return {"IpAddressType": type_}


def _check_groups(ctx: Context, row: Row, type_: str) -> None:
    """Without IPv6 addresses no target group of IPv6 is reached."""
    groups = [group for group in ctx.live(TARGET_GROUP) if group.document["IpAddressType"] == "ipv6"] if type_ == "ipv4" else []
    for group in groups:
        if (user := balancer_of(ctx, group)) and user.id == row.id:
            raise text.configuration(f"The load balancer '{row.arn}' forwards to a target group of IPv6, and must be of type dualstack: '{group.arn}'")


def describe_capacity_reservation(ctx: Context, params: Document) -> Document:
    """DescribeCapacityReservation: nothing is ever reserved (ModifyCapacityReservation is not there)."""
    find.by_arn(ctx, LOAD_BALANCER, params["LoadBalancerArn"])
    return {"CapacityReservationState": []}


def _chosen(ctx: Context, params: Document) -> list[Row]:
    return find.chosen(ctx, LOAD_BALANCER, params.get("LoadBalancerArns") or (), params.get("Names") or ())


OPERATIONS = {
    "CreateLoadBalancer": create_load_balancer,
    "DescribeLoadBalancers": find.described("LoadBalancers", _chosen),
    "DeleteLoadBalancer": delete_load_balancer,
    "SetSecurityGroups": set_security_groups,
    "SetSubnets": set_subnets,
    "SetIpAddressType": set_ip_address_type,
    "DescribeCapacityReservation": describe_capacity_reservation,
}
