"""Resource configurations: what clients reach through a resource gateway ("Resource configurations for VPC resources").

A SINGLE is one address or one name. A GROUP is a container for CHILD configurations, which are as a SINGLE but for what they have from their group: the
gateway, the protocol, whether they can be shared, and the verification of the domain. An ARN is a DB instance, a CIDR a network segment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any

from latticewall.base.inet import parse_address
from latticewall.base.rows import Row
from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import associations, dns, quotas, text
from latticewall.services.vpc_lattice.arn_resource import arn_definition
from latticewall.services.vpc_lattice.cidr_resource import cidr_definition
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import DOMAIN_VERIFICATION, RESOURCE_CONFIGURATION, RESOURCE_GATEWAY, VPC

PRIVATE = tuple(IPv4Network(block) for block in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"))
ALL_PORTS = "1-65535"
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")

_MEMBERS_OF = {
    "resourceConfigurationGroupIdentifier": ("CHILD",), "groupDomain": ("GROUP",), "resourceConfigurationDefinition": ("SINGLE", "CHILD", "ARN", "CIDR"),
    "portRanges": ("SINGLE", "GROUP", "CHILD", "CIDR"), "customDomainName": ("SINGLE", "CHILD"),
    "domainVerificationIdentifier": ("SINGLE", "GROUP"), "allowAssociationToShareableServiceNetwork": ("SINGLE", "GROUP", "CHILD", "ARN"),
}  # fmt: skip
"""The types for which a member is."""
_INHERITED = ("protocol", "allowAssociationToShareableServiceNetwork", "domainVerificationId", "domainVerificationArn")


def create_resource_configuration(ctx: Context, params: Document) -> Document:
    """CreateResourceConfiguration."""
    type_ = params["type"]
    _check_members(params, type_)
    group = _group(ctx, params) if type_ == "CHILD" else None
    gateway = _gateway(ctx, params, group)
    quotas.check(ctx, RESOURCE_CONFIGURATION, ctx.count(RESOURCE_CONFIGURATION) + 1)
    document: Document = {
        "type": type_, "resourceGatewayId": gateway.id, "protocol": params.get("protocol") or "TCP",
        "allowAssociationToShareableServiceNetwork": bool(params.get("allowAssociationToShareableServiceNetwork")),
    }  # fmt: skip
    if type_ == "ARN":
        document |= arn_definition(ctx, _arn(params), gateway)
    else:
        document["portRanges"] = port_ranges(params.get("portRanges") or (group.document["portRanges"] if group else ()))
    if type_ in ("SINGLE", "CHILD"):
        document["resourceConfigurationDefinition"] = _definition(ctx, params, gateway)
    elif type_ == "CIDR":
        document["resourceConfigurationDefinition"] = cidr_definition(params, gateway)
    refs = {"resourceGatewayIdentifier": gateway.id}
    for member in ("customDomainName", "groupDomain"):
        if params.get(member):
            document[member] = dns.check_name(member, params[member])
    if params.get("domainVerificationIdentifier"):
        document |= _verification(ctx, params)
    if group:
        _refuse_difference(params, group.document)
        document |= _from_group(group, document)
        refs["resourceConfigurationGroupIdentifier"] = group.id
    if document.get("domainVerificationId"):
        refs["domainVerificationIdentifier"] = document["domainVerificationId"]
    row = ctx.create(RESOURCE_CONFIGURATION, document, name=params["name"], tags=tags.read(params.get("tags")), refs=refs)
    if group:
        associations.join_group(ctx, group, row)
    return ctx.view(row)


def update_resource_configuration(ctx: Context, params: Document) -> Document:
    """UpdateResourceConfiguration. What children have from their group changes with it."""
    row = usable(ctx, RESOURCE_CONFIGURATION, params["resourceConfigurationIdentifier"])
    _check_members(params, row.document["type"])
    changes: Document = {}
    if params.get("resourceConfigurationDefinition") and row.document["type"] == "ARN":
        if params["resourceConfigurationDefinition"] != row.document["resourceConfigurationDefinition"]:
            raise text.invalid("resourceConfigurationDefinition", "The resource of a resource configuration of type ARN cannot be changed")
    elif params.get("resourceConfigurationDefinition"):
        gateway = usable(ctx, RESOURCE_GATEWAY, row.document["resourceGatewayId"])
        is_segment = row.document["type"] == "CIDR"
        changes["resourceConfigurationDefinition"] = cidr_definition(params, gateway) if is_segment else _definition(ctx, params, gateway)
    if params.get("portRanges") is not None and row.document["type"] != "ARN":
        changes["portRanges"] = port_ranges(params["portRanges"])
    if row.document["type"] == "CHILD":
        _refuse_difference(params, row.document)
    elif params.get("allowAssociationToShareableServiceNetwork") is not None:
        shareable = changes["allowAssociationToShareableServiceNetwork"] = params["allowAssociationToShareableServiceNetwork"]
        for child in children(ctx, row):
            ctx.change(child, {"allowAssociationToShareableServiceNetwork": shareable})
    return ctx.view(ctx.change(row, changes, settle=True))


def children(ctx: Context, group: Row) -> list[Row]:
    """The CHILD configurations of a GROUP."""
    return ctx.referring(group, RESOURCE_CONFIGURATION, "resourceConfigurationGroupIdentifier")


def _check_members(params: Mapping[str, Any], type_: str) -> None:
    """Refuse what this type cannot have. Raises Invalid."""
    if params.get("protocol") == "TCP_UDP" and type_ != "CIDR":
        raise text.invalid("protocol", "Protocol TCP_UDP is for CIDR resource configurations only")
    for member, types in _MEMBERS_OF.items():
        if params.get(member) and type_ not in types:
            raise text.invalid(member, f"{member} is not for resource configurations of type {type_}")


# -- groups ------------------------------------------------------------------------------------------------------------------------------------


def _group(ctx: Context, params: Mapping[str, Any]) -> Row:
    """The GROUP that a CHILD is to belong to, with room for it."""
    member = "resourceConfigurationGroupIdentifier"
    if not params.get(member):
        raise text.invalid(member, "A resource configuration of type CHILD needs the group that it belongs to")
    group = usable(ctx, RESOURCE_CONFIGURATION, params[member])
    if group.document["type"] != "GROUP":
        raise text.invalid(member, f"Resource configuration {group.id} is of type {group.document['type']}; only a GROUP has children")
    quotas.check(ctx, "vpc-lattice:ChildResourceConfiguration", len(children(ctx, group)) + 1, group.id)
    return group


def _gateway(ctx: Context, params: Mapping[str, Any], group: Row | None) -> Row:
    member = "resourceGatewayIdentifier"
    if group is None and not params.get(member):
        raise text.invalid(member, "A resource gateway is required")
    gateway = usable(ctx, RESOURCE_GATEWAY, params.get(member) or group.document["resourceGatewayId"])  # type: ignore[union-attr]  # one is there
    if group is not None and gateway.id != group.document["resourceGatewayId"]:
        raise text.invalid(member, f"A resource configuration of type CHILD has the gateway of its group, {group.document['resourceGatewayId']}")
    return gateway


def _refuse_difference(params: Mapping[str, Any], group: Mapping[str, Any]) -> None:
    """A child may say again what it has from its group (Terraform does), nothing else."""
    member = "allowAssociationToShareableServiceNetwork"
    if params.get(member) not in (None, group[member]):
        raise text.invalid(member, f"A resource configuration of type CHILD has {member} of its group, {str(group[member]).lower()}")


def _from_group(group: Row, child: Mapping[str, Any]) -> Document:
    """What a child has from its group. A custom domain name must be under the group's domain, where the group has one."""
    domain, custom = group.document.get("groupDomain"), child.get("customDomainName")
    if domain and custom and not is_under(custom, domain):
        raise text.invalid("customDomainName", f"{custom} is not under the group's domain {domain}")
    return {"resourceConfigurationGroupId": group.id, **{member: group.document[member] for member in _INHERITED if member in group.document}}


def is_under(name: str, domain: str) -> bool:
    """Whether a name is below a domain, not the domain itself."""
    return name.lower().rstrip(".").endswith("." + domain.lower().rstrip("."))


# -- where a resource is -----------------------------------------------------------------------------------------------------------------------


def port_ranges(given: Sequence[str]) -> list[str]:
    """Ports and ranges of ports, checked; all ports when none is given."""
    for item in given:
        found = _PORTS.fullmatch(item)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= 65535:
            raise text.invalid("portRanges", f"Port range {item} is not a port or a range of ports from 1 to 65535")
    return list(dict.fromkeys(given)) or [ALL_PORTS]


def _definition(ctx: Context, params: Mapping[str, Any], gateway: Row) -> Document:
    """Where the resource is: an address of a family that the gateway has, a private one or of IPv6 one of the VPC; or a domain name."""
    definition: Document = params.get("resourceConfigurationDefinition") or {}
    if resource := definition.get("ipResource"):
        return {"ipResource": {"ipAddress": _address(ctx, resource["ipAddress"], gateway)}}
    if resource := definition.get("dnsResource"):
        family, member = resource.get("ipAddressType"), "resourceConfigurationDefinition.dnsResource.ipAddressType"
        if family == "DUALSTACK":
            raise text.unsupported(member, "DUALSTACK domain names are not supported, as on AWS; IPV4 and IPV6 are")
        _check_family(member, family or "IPV4", gateway)
        name = dns.check_name("resourceConfigurationDefinition.dnsResource.domainName", resource["domainName"])
        return {"dnsResource": {"domainName": name, **({"ipAddressType": family} if family else {})}}
    raise text.invalid("resourceConfigurationDefinition", "A resource configuration of type SINGLE or CHILD needs an ipResource or a dnsResource")


def _arn(params: Mapping[str, Any]) -> str:
    arn = ((params.get("resourceConfigurationDefinition") or {}).get("arnResource") or {}).get("arn")
    if not arn:
        raise text.invalid("resourceConfigurationDefinition", "A resource configuration of type ARN needs an arnResource")
    return str(arn)


def _check_family(member: str, family: str, gateway: Row) -> None:
    has = gateway.document["ipAddressType"]
    if has not in (family, "DUALSTACK"):
        raise text.invalid(member, f"{family} is not for resource gateway {gateway.id}, whose IP address type is {has}")


def _address(ctx: Context, address: str, gateway: Row) -> str:
    member = "resourceConfigurationDefinition.ipResource.ipAddress"
    try:
        found = parse_address(address)
    except ValueError:
        raise text.invalid(member, f"{address} is not an IP address") from None
    _check_family(member, f"IPV{found.version}", gateway)
    if found.version == 4 and not any(found in block for block in PRIVATE):
        raise text.invalid(member, f"{address} is not a private address: {', '.join(str(block) for block in PRIVATE)}")
    if found.version == 6:
        blocks = [item["Ipv6CidrBlock"] for item in ctx.resolve(VPC, gateway.document["vpcId"]).document["Ipv6CidrBlockAssociationSet"]]
        if not any(found in ip_network(block) for block in blocks):
            raise text.invalid(member, f"{address} is not in an IPv6 CIDR block of VPC {gateway.document['vpcId']}")
    return str(found)


def _verification(ctx: Context, params: Mapping[str, Any]) -> Document:
    """The domain verification that covers the custom domain name or the group's domain."""
    row = usable(ctx, DOMAIN_VERIFICATION, params["domainVerificationIdentifier"])
    name, verified = str(params.get("customDomainName") or params.get("groupDomain") or ""), row.document["domainName"]
    if name.lower().rstrip(".") != verified and not is_under(name, verified):
        raise text.invalid("domainVerificationIdentifier", f"Domain verification {row.id} is for {verified}, which does not cover {name or 'no name'}")
    return {"domainVerificationId": row.id, "domainVerificationArn": row.arn}
