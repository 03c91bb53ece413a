"""VPC endpoints of type ServiceNetwork, Resource and Tunnel: they lead to VPC Lattice ("Access service networks through AWS PrivateLink", "Access VPC
resources through AWS PrivateLink", "Access network segments through AWS PrivateLink")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from latticewall.auth.resource_policies import allows
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import cidrs, endpoint_private_dns, endpoint_zones, ipv6, network_interface, text, tunnel_zones
from latticewall.services.ec2.endpoint_zones import ANY, IPV4, IPV6, Chosen
from latticewall.services.ec2.requests import only, tags_for
from latticewall.services.ec2.tunnel_zones import TUNNEL

KIND = "ec2:VpcEndpoint"
MOST_PER_NETWORK = 200
"""Endpoints of one service network ("Quotas for Amazon VPC Lattice")."""


class Leading(NamedTuple):
    """What an endpoint of a type leads to. member: of the request, with its ARN. association: the kind that VPC Lattice keeps of it, with its reference's
    role and member. action: what the owner must allow another account."""

    member: str
    kind: str
    association: str
    role: str
    reference: str
    action: str


TYPES: Mapping[str, Leading] = {
    "ServiceNetwork": Leading(
        "ServiceNetworkArn", "vpc-lattice:ServiceNetwork", "vpc-lattice:ServiceNetworkVpcEndpointAssociation", "serviceNetworkIdentifier",
        "serviceNetworkId", "vpc-lattice:CreateServiceNetworkVpcEndpointAssociation",
    ),
    **dict.fromkeys(("Resource", "Tunnel"), Leading(
        "ResourceConfigurationArn", "vpc-lattice:ResourceConfiguration", "vpc-lattice:ResourceEndpointAssociation", "resourceConfigurationIdentifier",
        "resourceConfigurationId", "vpc-lattice:AssociateViaAWSService",
    )),
}  # fmt: skip


def create(ctx: Context, params: Document) -> Document:
    """CreateVpcEndpoint for one of TYPES."""
    type_ = params["VpcEndpointType"]
    leading = TYPES[type_]
    _refuse(params, type_, f"VpcEndpointType VpcId SubnetIds SubnetConfigurations SecurityGroupIds PrivateDnsEnabled IpAddressType DnsOptions {leading.member}")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    target = _target(ctx, type_, params.get(leading.member))
    address_type = params.get("IpAddressType") or "ipv4"
    chosen = _chosen(params, address_type)
    homes = _homes(ctx, vpc, [*dict.fromkeys((*(params.get("SubnetIds") or ()), *chosen))], address_type)
    tunnel_zones.check(ctx, target, homes)
    groups = network_interface.check_groups(ctx, vpc.id, params.get("SecurityGroupIds") or ())
    private = bool(params.get("PrivateDnsEnabled"))
    document: Document = {
        "VpcEndpointType": type_, "VpcId": vpc.id, leading.member: target.arn, "SubnetIds": [home.id for home in homes], "IpAddressType": address_type,
        "PrivateDnsEnabled": private, "DnsOptions": endpoint_private_dns.options(params, {}, private=private, address_type=address_type),
        "_groups": groups, "_zones": [], "_failed": [],
    }  # fmt: skip
    row = ctx.create(KIND, document, tags=tags_for(params, "vpc-endpoint"), refs={"VpcId": vpc.id})
    for home in homes:
        ctx.refer(row, "SubnetIds", home.id)
    association = {
        "vpcEndpointId": row.id, "vpcId": vpc.id, leading.reference: target.id, "createdBy": row.account, "vpcEndpointOwner": row.account,
        "_accounts": sorted({row.account, target.account}),
    }  # fmt: skip
    ctx.create(leading.association, association, refs={leading.role: target, "vpcEndpointId": row})
    endpoint_private_dns.check(ctx, row, vpc)
    zones = [endpoint_zones.open_zone(ctx, row, home, groups, chosen.get(home.id, ANY)) for home in homes]
    zones = tunnel_zones.numbered(ctx, row, zones)
    row = endpoint_zones.follow(ctx, ctx.change(row, {"_zones": zones}), endpoint_zones.reached(ctx, row))
    if row.document["_failed"]:
        raise text.conflict(row.document["_failed"][0]["Code"], row.document["_failed"][0]["Message"])
    return {"VpcEndpoint": ctx.view(row), **({"ClientToken": params["ClientToken"]} if params.get("ClientToken") else {})}


def modify(ctx: Context, row: Row, params: Document) -> None:
    """ModifyVpcEndpoint for one of TYPES."""
    known = "VpcEndpointId AddSubnetIds RemoveSubnetIds SubnetConfigurations AddSecurityGroupIds RemoveSecurityGroupIds"
    known += " IpAddressType DnsOptions PrivateDnsEnabled"
    _refuse(params, row.document["VpcEndpointType"], known)
    if row.status not in ("ready", "updating"):
        raise text.incorrect_state(f"The Vpc Endpoint '{row.id}' is in state {ctx.view(row)['State']} and cannot be modified")
    given = params.get("PrivateDnsEnabled")
    private = bool(row.document["PrivateDnsEnabled"] if given is None else given)
    address_type = params.get("IpAddressType") or row.document["IpAddressType"]
    options = endpoint_private_dns.options(params, row.document["DnsOptions"], private=private, address_type=address_type)
    row = ctx.change(row, {"PrivateDnsEnabled": private, "DnsOptions": options, "IpAddressType": address_type}, settle=True)
    row = _change_subnets(ctx, _change_groups(ctx, row, params), params)
    endpoint_private_dns.check(ctx, row, ctx.resolve("ec2:Vpc", row.document["VpcId"]))
    endpoint_zones.follow(ctx, row, endpoint_zones.reached(ctx, row))


def _refuse(params: Mapping[str, Any], type_: str, known: str) -> None:
    """What endpoints of this type never have is refused in EC2's words, what is not there yet as such."""
    for member in ("ServiceName", "PolicyDocument", "ResetPolicy", "RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds", *_other_targets(type_)):
        if params.get(member):
            name = member[:1].lower() + member[1:]
            raise text.invalid("InvalidParameter", f"The parameter {name} is not supported for endpoints of type {type_}.")
    if params.get("IpAddressType") not in (None, *endpoint_zones.FAMILIES):
        raise text.bad_value(params["IpAddressType"], "ipAddressType", f"It is not one of {', '.join(endpoint_zones.FAMILIES)}.")
    only(params, known)


def _other_targets(type_: str) -> list[str]:
    others = {leading.member for leading in TYPES.values()} - {TYPES[type_].member}
    return sorted(others if type_ != TUNNEL else {*others, "PrivateDnsEnabled"})


def _target(ctx: Context, type_: str, arn: str | None) -> Row:
    """The service network or resource configuration that the endpoint is to lead to: the account's own, or one that its owner shares with it."""
    leading = TYPES[type_]
    name = leading.member[:1].lower() + leading.member[1:]
    if not arn:
        raise text.missing_parameter(name)
    row = ctx.tx.by_arn(arn)
    reachable = row is not None and row.kind == leading.kind and row.region == ctx.caller.region and row.status not in ("deleting", "deleted", "failed")
    if row is None or not reachable or (row.account != ctx.caller.account and not allows(ctx.tx, row, ctx.caller.account, leading.action)):
        raise text.bad_value(arn, name, f"There is no such {leading.kind.partition(':')[2]}.")
    if type_ == "ServiceNetwork" and len(ctx.referring(row, leading.association)) >= MOST_PER_NETWORK:
        raise text.conflict("VpcEndpointLimitExceeded", f"The service network {row.id} has reached its limit of {MOST_PER_NETWORK} endpoints.")
    if row.document.get("type") == "CHILD":
        raise text.bad_value(arn, name, "An endpoint of a resource configuration of type CHILD is made for its group.")
    if (row.document.get("type") == "CIDR") != (type_ == TUNNEL):
        raise text.bad_value(arn, name, f"An endpoint of type {type_} does not lead to a resource configuration of type {row.document['type']}.")
    return row


# -- subnets and security groups -----------------------------------------------------------------------------------------------------------------


def _homes(ctx: Context, vpc: Row, identifiers: Sequence[str], address_type: str) -> list[Row]:
    """The endpoint's subnets: in the VPC, one per Availability Zone, with addresses of the families that it is to have."""
    if not identifiers:
        raise text.missing_parameter("subnetIds")
    rows = [ctx.resolve("ec2:Subnet", identifier) for identifier in identifiers]
    zones: dict[str, str] = {}
    for row in rows:
        if row.document["VpcId"] != vpc.id:
            raise text.invalid("InvalidParameter", f"The subnet {row.id} does not belong to the VPC {vpc.id}.")
        if zones.setdefault(row.document["AvailabilityZone"], row.id) != row.id:
            raise text.invalid("DuplicateSubnetsInSameZone", f"Found another VPC endpoint subnet in the availability zone of {row.id}")
        if IPV4 in endpoint_zones.FAMILIES[address_type] and row.document["Ipv6Native"]:
            raise text.invalid("InvalidParameter", f"The subnet {row.id} does not support the IP address type {address_type}: it is an IPv6-only subnet.")
        if IPV6 in endpoint_zones.FAMILIES[address_type] and not ipv6.blocks(row):
            raise text.invalid("InvalidParameter", f"The subnet {row.id} does not support the IP address type {address_type}: it has no IPv6 CIDR block.")
    return rows


def _chosen(params: Document, address_type: str) -> dict[str, Chosen]:
    """SubnetConfigurations: subnet id -> the addresses of the endpoint's interface there, one of each family that the endpoint has ("SubnetConfiguration")."""
    found: dict[str, Chosen] = {}
    for one in params.get("SubnetConfigurations") or ():
        if not one.get("SubnetId"):
            raise text.missing_parameter("subnetConfigurations.subnetId")
        for family, member in ((IPV4, "Ipv4"), (IPV6, "Ipv6")):
            wanted = family in endpoint_zones.FAMILIES[address_type]
            if bool(one.get(member)) != wanted:
                message = f"subnetConfigurations.{member.lower()} is {'needed' if wanted else 'not allowed'} for endpoints of IP address type {address_type}"
                raise text.invalid("InvalidParameter", f"{message}: {one['SubnetId']}")
        found[one["SubnetId"]] = Chosen(
            str(cidrs.parse_address(one["Ipv4"], "subnetConfigurations.ipv4")) if one.get("Ipv4") else "",
            str(ipv6.parse(one["Ipv6"], "subnetConfigurations.ipv6")) if one.get("Ipv6") else "",
        )
    return found


def _change_subnets(ctx: Context, row: Row, params: Document) -> Row:
    """Subnets come and go; where another address is chosen for one that stays, another interface takes the place of the present one."""
    present, chosen = list(row.document["SubnetIds"]), _chosen(params, row.document["IpAddressType"])
    removed = list(dict.fromkeys(params.get("RemoveSubnetIds") or ()))
    added = [one for one in dict.fromkeys((*(params.get("AddSubnetIds") or ()), *chosen)) if one not in present]
    for identifier in removed:
        if identifier not in present:
            raise text.invalid("InvalidParameter", f"The subnet {identifier} is not one of the endpoint {row.id}.")
    wanted = [identifier for identifier in present if identifier not in removed] + added
    homes = {home.id: home for home in _homes(ctx, ctx.resolve("ec2:Vpc", row.document["VpcId"]), wanted, row.document["IpAddressType"])}
    zones = {zone["SubnetId"]: zone for zone in row.document["_zones"]}
    for identifier in removed:
        ctx.forget(row, "SubnetIds", identifier)
    replaced = [identifier for identifier in zones if identifier not in removed and _is_elsewhere(ctx, zones[identifier], chosen.get(identifier))]
    for identifier in (*removed, *replaced):
        endpoint_zones.close_zone(ctx, zones.pop(identifier))
    for identifier in added:
        ctx.refer(row, "SubnetIds", identifier)
    for identifier, home in homes.items():
        one = chosen.get(identifier, ANY)
        if identifier in zones:
            zones[identifier] = endpoint_zones.fit_zone(ctx, row, zones[identifier], home, one)
        else:
            zones[identifier] = endpoint_zones.open_zone(ctx, row, home, row.document["_groups"], one)
    tunnel_zones.check(ctx, _leads_to(ctx, row), list(homes.values()))
    return ctx.change(row, {"SubnetIds": wanted, "_zones": tunnel_zones.numbered(ctx, row, [zones[identifier] for identifier in wanted])})


def _leads_to(ctx: Context, row: Row) -> Row | None:
    """What an endpoint leads to; None once the owner has ended the association."""
    leading = TYPES[row.document["VpcEndpointType"]]
    return next((found for one in ctx.referring(row, leading.association) for found in ctx.referred(one, leading.role)), None)


def _is_elsewhere(ctx: Context, zone: Document, chosen: Chosen | None) -> bool:
    """Whether the zone's interface has another primary address than the one chosen."""
    interface = ctx.resolve("ec2:NetworkInterface", zone["NetworkInterfaceId"])
    pairs = [(wanted, family.held(interface)) for family in (IPV4, IPV6) for wanted in (chosen.of(family) if chosen else ())]
    return any(held and held[0] != wanted for wanted, held in pairs)


def _change_groups(ctx: Context, row: Row, params: Document) -> Row:
    present, removed, added = row.document["_groups"], params.get("RemoveSecurityGroupIds") or (), params.get("AddSecurityGroupIds") or ()
    for identifier in removed:
        if identifier not in present:
            raise text.invalid("InvalidParameter", f"The security group {identifier} is not one of the endpoint {row.id}.")
    wanted = [*(one for one in present if one not in removed), *(one for one in added if one not in present)]
    if wanted == present:
        return row
    if not wanted:
        raise text.invalid("InvalidParameter", "An endpoint keeps at least one security group.")
    for zone in row.document["_zones"]:
        network_interface.set_groups(ctx, ctx.resolve("ec2:NetworkInterface", zone["NetworkInterfaceId"]), wanted)
    return ctx.change(row, {"_groups": network_interface.check_groups(ctx, row.document["VpcId"], wanted)})
