"""Resource gateways: where connections to resources leave from ("Resource gateways in VPC Lattice").

A gateway has one network interface per subnet, so that its addresses are reserved there and its security groups count as groups of the VPC. Connections
come from all addresses of all of them; none can be added or taken away later. Of IPv6 an interface has one address, where AWS gives it a /80.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from latticewall.base.faults import Fault
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import quotas, text
from latticewall.services.vpc_lattice.find import elsewhere, relink, security_groups_in, usable, vpc_of
from latticewall.services.vpc_lattice.nouns import NETWORK_INTERFACE, RESOURCE_CONFIGURATION, RESOURCE_GATEWAY, SUBNET

DEFAULT_RESOLUTION = "PUBLIC"
NOT_BEHIND = {"PUBLIC": ("CIDR",), "IN_VPC": ("ARN",)}
"""The types of resource configurations that a gateway with this resolution of names cannot have."""
FIRST_ADDRESS = 4
"""Offset of a subnet's first address that is not reserved; the last one is reserved too."""
DEFAULT_ADDRESSES = 16
"""IPv4 addresses of each network interface."""


def create_resource_gateway(ctx: Context, params: Document) -> Document:
    """CreateResourceGateway; without security groups it has the VPC's default one."""
    address_type = params.get("ipAddressType") or "IPV4"
    if address_type == "IPV6" and params.get("ipv4AddressesPerEni"):
        raise text.invalid("ipv4AddressesPerEni", "ipv4AddressesPerEni is not for resource gateways of IP address type IPV6")
    count = 0 if address_type == "IPV6" else params.get("ipv4AddressesPerEni") or DEFAULT_ADDRESSES
    vpc = vpc_of(ctx, params.get("vpcIdentifier"))
    subnets = _subnets(ctx, vpc, params.get("subnetIds") or ())
    groups = security_groups_in(ctx, vpc, params.get("securityGroupIds") or ())
    quotas.check(ctx, RESOURCE_GATEWAY, len(ctx.referring(vpc, RESOURCE_GATEWAY)) + 1, vpc.id)
    identifier = ctx.new_id("rgw-")
    _check_families(subnets, address_type)
    interfaces = [_make_interface(ctx, identifier, subnet, groups, count, has_ipv6=address_type != "IPV4") for subnet in subnets]
    groups = groups or [group["GroupId"] for group in interfaces[0]["Groups"]]
    document: Document = {
        "vpcId": vpc.id, "subnetIds": [subnet.id for subnet in subnets], "securityGroupIds": groups, "ipAddressType": address_type,
        "resourceConfigDnsResolution": params.get("resourceConfigDnsResolution") or DEFAULT_RESOLUTION,
        **({} if address_type == "IPV6" else {"ipv4AddressesPerEni": count}), "_addresses": _addresses(interfaces, address_type),
    }  # fmt: skip
    row = ctx.create(RESOURCE_GATEWAY, document, id=identifier, name=params["name"], tags=tags.read(params.get("tags")), refs={"vpcIdentifier": vpc.id})
    relink(ctx, row, "subnetIds", document["subnetIds"])
    relink(ctx, row, "securityGroupIds", groups)
    relink(ctx, row, "interfaces", [interface["NetworkInterfaceId"] for interface in interfaces])
    return ctx.view(row)


def _subnets(ctx: Context, vpc: Row, identifiers: Sequence[str]) -> list[Row]:
    if not identifiers:
        raise text.invalid("subnetIds", "At least one subnet is required")
    found: list[Row] = []
    for identifier in identifiers:
        subnet = elsewhere(ctx, SUBNET, identifier)
        if subnet.document["VpcId"] != vpc.id:
            raise text.invalid("subnetIds", f"Subnet {subnet.id} does not belong to VPC {vpc.id}")
        if any(subnet.id == other.id for other in found):
            raise text.invalid("subnetIds", f"Subnet {subnet.id} is named more than once")
        found.append(subnet)
    return found


def _check_families(subnets: Sequence[Row], address_type: str) -> None:
    for subnet in subnets:
        if address_type != "IPV6" and subnet.document["Ipv6Native"]:
            raise text.invalid("subnetIds", f"Subnet {subnet.id} is an IPv6-only subnet, but IP address type {address_type} needs IPv4")
        if address_type != "IPV4" and not subnet.document["Ipv6CidrBlockAssociationSet"]:
            raise text.invalid("subnetIds", f"Subnet {subnet.id} has no IPv6 CIDR block, which IP address type {address_type} needs")


def _addresses(interfaces: Sequence[Mapping[str, Any]], address_type: str) -> list[str]:
    """Of all interfaces in turn, so that any few of them are of several Availability Zones."""
    by_interface = ([item["PrivateIpAddress"] for item in interface["PrivateIpAddresses"]] for interface in interfaces)
    of_ipv4 = [address for addresses in zip(*by_interface, strict=True) for address in addresses]
    of_ipv6 = [item["Ipv6Address"] for interface in interfaces for item in interface["Ipv6Addresses"]]
    return of_ipv6 if address_type == "IPV6" else [*of_ipv4, *of_ipv6]


def _make_interface(ctx: Context, gateway_id: str, subnet: Row, groups: Sequence[str], count: int, *, has_ipv6: bool) -> dict[str, Any]:
    """A network interface for the gateway; EC2 picks the first address and, where no group is given, the VPC's default group. Further addresses are from
    the end of the subnet, where nobody's fixed addresses are. count: of IPv4 addresses."""
    params: Document = {"SubnetId": subnet.id, "Description": f"VPC Lattice resource gateway {gateway_id}", "Ipv6AddressCount": int(has_ipv6)}
    if groups:
        params["Groups"] = list(groups)
    try:
        interface: dict[str, Any] = ctx.call("ec2:CreateNetworkInterface", params)["NetworkInterface"]
        further = _last_free(ctx, subnet, count - 1) if count > 1 else []
        if further:
            ctx.call("ec2:AssignPrivateIpAddresses", {"NetworkInterfaceId": interface["NetworkInterfaceId"], "PrivateIpAddresses": further})
    except Fault as fault:  # EC2's codes mean nothing to Lattice's clients
        raise text.invalid("subnetIds", fault.message) from fault
    if not count and not subnet.document["Ipv6Native"]:
        return ctx.view(_without_ipv4(ctx, interface["NetworkInterfaceId"]))
    addresses = [{"PrivateIpAddress": address} for address in further]
    return {**interface, "PrivateIpAddresses": [*interface["PrivateIpAddresses"], *addresses]}


def _without_ipv4(ctx: Context, interface_id: str) -> Row:
    """An interface made for IPv6 alone in a subnet of both families: there CreateNetworkInterface always gives it an IPv4 address, and no operation takes
    its primary one away."""
    return ctx.change(ctx.resolve(NETWORK_INTERFACE, interface_id), {"PrivateIpAddress": None, "PrivateIpAddresses": []})


def _last_free(ctx: Context, subnet: Row, count: int) -> list[str]:
    """The last so many addresses of the subnet that nobody has. Raises Invalid when there are not enough."""
    found = ctx.call("ec2:DescribeNetworkInterfaces", {"Filters": [{"Name": "subnet-id", "Values": [subnet.id]}]})["NetworkInterfaces"]
    taken = {item["PrivateIpAddress"] for interface in found for item in interface["PrivateIpAddresses"]}
    network = IPv4Network(subnet.document["CidrBlock"])
    ours = range(network.num_addresses - 2, FIRST_ADDRESS - 1, -1)
    free = list(islice((address for offset in ours if (address := str(network[offset])) not in taken), count))
    if len(free) < count:
        raise text.invalid("subnetIds", f"There are not enough free addresses in subnet {subnet.id} for {count + 1} of the resource gateway")
    return free


def update_resource_gateway(ctx: Context, params: Document) -> Document:
    """UpdateResourceGateway: security groups (an empty list means the VPC's default one again) and name resolution."""
    row = usable(ctx, RESOURCE_GATEWAY, params["resourceGatewayIdentifier"])
    changes: Document = {}
    if params.get("resourceConfigDnsResolution"):
        changes["resourceConfigDnsResolution"] = params["resourceConfigDnsResolution"]
        for user in ctx.referring(row, RESOURCE_CONFIGURATION):
            if user.document["type"] in NOT_BEHIND[params["resourceConfigDnsResolution"]]:
                used = f"Resource gateway {row.id} is used by resource configuration {user.id} of type {user.document['type']}"
                raise text.invalid("resourceConfigDnsResolution", f"{used}, for which {params['resourceConfigDnsResolution']} is not supported")
    if params.get("securityGroupIds") is not None:
        vpc = vpc_of(ctx, row.document["vpcId"])
        groups = security_groups_in(ctx, vpc, params["securityGroupIds"]) or [_default_group(ctx, vpc)]
        for interface in ctx.referred(row, "interfaces"):
            ctx.call("ec2:ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface.id, "Groups": groups})
        relink(ctx, row, "securityGroupIds", groups)
        changes["securityGroupIds"] = groups
    return ctx.view(ctx.change(row, changes, settle=True))


def _default_group(ctx: Context, vpc: Row) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc.id]}, {"Name": "group-name", "Values": ["default"]}]
    return str(ctx.call("ec2:DescribeSecurityGroups", {"Filters": filters})["SecurityGroups"][0]["GroupId"])


def release(ctx: Context, row: Row) -> None:
    """Before a gateway goes: resource configurations that use it refuse; then its interfaces and references go, so that its VPC can be deleted."""
    for user in ctx.referring(row, RESOURCE_CONFIGURATION):
        raise text.conflict(RESOURCE_GATEWAY, row.id, f"Resource gateway {row.id} is in use by resource configuration {user.id}")
    interfaces = ctx.referred(row, "interfaces")
    for role in ("interfaces", "subnetIds", "securityGroupIds", "vpcIdentifier"):
        ctx.forget(row, role)
    for interface in interfaces:
        ctx.call("ec2:DeleteNetworkInterface", {"NetworkInterfaceId": interface.id})
