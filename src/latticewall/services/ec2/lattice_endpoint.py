"""VPC endpoints of type ServiceNetwork and Resource: they lead to VPC Lattice ("Access service networks through AWS PrivateLink", "Access VPC resources
through AWS PrivateLink")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from latticewall.auth.resource_policies import allows
from latticewall.base.faults import Unsupported
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import endpoint_private_dns, endpoint_zones, network_interface, text
from latticewall.services.ec2.requests import only, tags_for

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
    "Resource": Leading(
        "ResourceConfigurationArn", "vpc-lattice:ResourceConfiguration", "vpc-lattice:ResourceEndpointAssociation", "resourceConfigurationIdentifier",
        "resourceConfigurationId", "vpc-lattice:AssociateViaAWSService",
    ),
}  # fmt: skip


def create(ctx: Context, params: Document) -> Document:
    """CreateVpcEndpoint for one of TYPES."""
    type_ = params["VpcEndpointType"]
    leading = TYPES[type_]
    _refuse(params, type_, f"VpcEndpointType VpcId SubnetIds SubnetConfigurations SecurityGroupIds PrivateDnsEnabled IpAddressType DnsOptions {leading.member}")
    vpc = ctx.resolve("ec2:Vpc", params["VpcId"])
    target = _target(ctx, type_, params.get(leading.member))
    addresses = _wanted_addresses(params)
    homes = _homes(ctx, vpc, [*dict.fromkeys((*(params.get("SubnetIds") or ()), *addresses))])
    groups = network_interface.check_groups(ctx, vpc.id, params.get("SecurityGroupIds") or ())
    private = bool(params.get("PrivateDnsEnabled"))
    document: Document = {
        "VpcEndpointType": type_, "VpcId": vpc.id, leading.member: target.arn, "SubnetIds": [home.id for home in homes], "IpAddressType": "ipv4",
        "PrivateDnsEnabled": private, "DnsOptions": endpoint_private_dns.options(params, {}, private=private), "_groups": groups, "_zones": [], "_failed": [],
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
    zones = [endpoint_zones.open_zone(ctx, row, home, groups, addresses.get(home.id, "")) for home in homes]
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
    options = endpoint_private_dns.options(params, row.document["DnsOptions"], private=private)
    row = ctx.change(row, {"PrivateDnsEnabled": private, "DnsOptions": options}, settle=True)
    row = _change_subnets(ctx, _change_groups(ctx, row, params), params)
    endpoint_private_dns.check(ctx, row, ctx.resolve("ec2:Vpc", row.document["VpcId"]))
    endpoint_zones.follow(ctx, row, endpoint_zones.reached(ctx, row))


def _refuse(params: Mapping[str, Any], type_: str, known: str) -> None:
    """What endpoints of this type never have is refused in EC2's words, what is not there yet as such."""
    for member in ("ServiceName", "PolicyDocument", "ResetPolicy", "RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds", *_other_targets(type_)):
        if params.get(member):
            name = member[:1].lower() + member[1:]
            raise text.invalid("InvalidParameter", f"The parameter {name} is not supported for endpoints of type {type_}.")
    if params.get("IpAddressType") not in (None, "ipv4"):
        raise Unsupported(f"IP address type {params['IpAddressType']} is not supported yet; ipv4 is", kind=KIND, fields=(("IpAddressType", "not supported"),))
    only(params, known)


def _other_targets(type_: str) -> list[str]:
    return [leading.member for name, leading in TYPES.items() if name != type_]


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
    return row


# -- subnets and security groups -----------------------------------------------------------------------------------------------------------------


def _homes(ctx: Context, vpc: Row, identifiers: Sequence[str]) -> list[Row]:
    """The endpoint's subnets: in the VPC, one per Availability Zone."""
    if not identifiers:
        raise text.missing_parameter("subnetIds")
    rows = [ctx.resolve("ec2:Subnet", identifier) for identifier in identifiers]
    zones: dict[str, str] = {}
    for row in rows:
        if row.document["VpcId"] != vpc.id:
            raise text.invalid("InvalidParameter", f"The subnet {row.id} does not belong to the VPC {vpc.id}.")
        if zones.setdefault(row.document["AvailabilityZone"], row.id) != row.id:
            raise text.invalid("DuplicateSubnetsInSameZone", f"Found another VPC endpoint subnet in the availability zone of {row.id}")
    return rows


def _wanted_addresses(params: Document) -> dict[str, str]:
    """SubnetConfigurations: subnet id -> the address of the endpoint's interface there."""
    found = {}
    for one in params.get("SubnetConfigurations") or ():
        if one.get("Ipv6"):
            raise Unsupported("IPv6 addresses of endpoints are not supported yet", kind=KIND, fields=(("SubnetConfigurations", "not supported"),))
        if not one.get("SubnetId"):
            raise text.missing_parameter("subnetConfigurations.subnetId")
        found[one["SubnetId"]] = one.get("Ipv4") or ""
    return found


def _change_subnets(ctx: Context, row: Row, params: Document) -> Row:
    present, addresses = list(row.document["SubnetIds"]), _wanted_addresses(params)
    removed = list(params.get("RemoveSubnetIds") or ())
    added = [one for one in dict.fromkeys((*(params.get("AddSubnetIds") or ()), *addresses)) if one not in present]
    for identifier in removed:
        if identifier not in present:
            raise text.invalid("InvalidParameter", f"The subnet {identifier} is not one of the endpoint {row.id}.")
    for identifier, address in addresses.items():
        if identifier in present and address and address != _address_in(ctx, row, identifier):
            raise Unsupported(f"The address of {row.id} in {identifier} cannot be changed", kind=KIND, fields=(("SubnetConfigurations", "not supported"),))
    wanted = [identifier for identifier in present if identifier not in removed] + added
    homes = {home.id: home for home in _homes(ctx, ctx.resolve("ec2:Vpc", row.document["VpcId"]), wanted)}
    zones = {zone["SubnetId"]: zone for zone in row.document["_zones"]}
    for identifier in removed:
        endpoint_zones.close_zone(ctx, zones.pop(identifier))
        ctx.forget(row, "SubnetIds", identifier)
    for identifier in added:
        ctx.refer(row, "SubnetIds", identifier)
        zones[identifier] = endpoint_zones.open_zone(ctx, row, homes[identifier], row.document["_groups"], addresses.get(identifier, ""))
    return ctx.change(row, {"SubnetIds": wanted, "_zones": [zones[identifier] for identifier in wanted]})


def _address_in(ctx: Context, row: Row, subnet_id: str) -> str:
    zone = next(zone for zone in row.document["_zones"] if zone["SubnetId"] == subnet_id)
    return str(ctx.resolve("ec2:NetworkInterface", zone["NetworkInterfaceId"]).document["PrivateIpAddress"])


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
