"""Resource configurations: what clients reach through a resource gateway ("Resource configurations for VPC resources").

Only SINGLE is there: one address or one name. GROUP and CHILD, ARN and CIDR are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from latticewall.resources import tags
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import dns, quotas, text
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.nouns import DOMAIN_VERIFICATION, RESOURCE_CONFIGURATION, RESOURCE_GATEWAY

PRIVATE = tuple(IPv4Network(block) for block in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"))
ALL_PORTS = "1-65535"
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


def create_resource_configuration(ctx: Context, params: Document) -> Document:
    """CreateResourceConfiguration."""
    _refuse_unsupported(params)
    if not params.get("resourceGatewayIdentifier"):
        raise text.invalid("resourceGatewayIdentifier", "A resource gateway is required")
    gateway = usable(ctx, RESOURCE_GATEWAY, params["resourceGatewayIdentifier"])
    quotas.check(RESOURCE_CONFIGURATION, len(ctx.live(RESOURCE_CONFIGURATION)) + 1)
    document: Document = {
        "type": params["type"], "resourceGatewayId": gateway.id, "protocol": params.get("protocol") or "TCP",
        "portRanges": port_ranges(params.get("portRanges") or ()), "resourceConfigurationDefinition": _definition(params),
        "allowAssociationToShareableServiceNetwork": bool(params.get("allowAssociationToShareableServiceNetwork")),
    }  # fmt: skip
    if params.get("customDomainName"):
        document["customDomainName"] = dns.check_name("customDomainName", params["customDomainName"])
    refs = {"resourceGatewayIdentifier": gateway.id}
    if params.get("domainVerificationIdentifier"):
        document |= _verification(ctx, params)
        refs["domainVerificationIdentifier"] = document["domainVerificationId"]
    return ctx.view(ctx.create(RESOURCE_CONFIGURATION, document, name=params["name"], tags=tags.read(params.get("tags")), refs=refs))


def update_resource_configuration(ctx: Context, params: Document) -> Document:
    """UpdateResourceConfiguration."""
    row = usable(ctx, RESOURCE_CONFIGURATION, params["resourceConfigurationIdentifier"])
    changes: Document = {}
    if params.get("resourceConfigurationDefinition"):
        changes["resourceConfigurationDefinition"] = _definition(params)
    if params.get("portRanges") is not None:
        changes["portRanges"] = port_ranges(params["portRanges"])
    if params.get("allowAssociationToShareableServiceNetwork") is not None:
        changes["allowAssociationToShareableServiceNetwork"] = params["allowAssociationToShareableServiceNetwork"]
    return ctx.view(ctx.change(row, changes, settle=True))


def _refuse_unsupported(params: Mapping[str, Any]) -> None:
    if params["type"] != "SINGLE":
        raise text.unsupported("type", f"Resource configuration type {params['type']} is not supported yet; SINGLE is")
    if params.get("protocol") == "TCP_UDP":
        raise text.invalid("protocol", "Protocol TCP_UDP is for CIDR resource configurations only")
    for member in ("resourceConfigurationGroupIdentifier", "groupDomain"):
        if params.get(member):
            raise text.invalid(member, f"{member} is not for resource configurations of type SINGLE")


def port_ranges(given: Sequence[str]) -> list[str]:
    """Ports and ranges of ports, checked; all ports when none is given."""
    for item in given:
        found = _PORTS.fullmatch(item)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= 65535:
            raise text.invalid("portRanges", f"Port range {item} is not a port or a range of ports from 1 to 65535")
    return list(dict.fromkeys(given)) or [ALL_PORTS]


def _definition(params: Mapping[str, Any]) -> Document:
    """Where the resource is: a private IPv4 address or a domain name."""
    definition: Document = params.get("resourceConfigurationDefinition") or {}
    if resource := definition.get("ipResource"):
        return {"ipResource": {"ipAddress": _address(resource["ipAddress"])}}
    if resource := definition.get("dnsResource"):
        if resource.get("ipAddressType") not in (None, "IPV4"):
            raise text.unsupported("resourceConfigurationDefinition.dnsResource.ipAddressType", "Only IPV4 is supported yet")
        name = dns.check_name("resourceConfigurationDefinition.dnsResource.domainName", resource["domainName"])
        return {"dnsResource": {"domainName": name, **({"ipAddressType": "IPV4"} if resource.get("ipAddressType") else {})}}
    raise text.invalid("resourceConfigurationDefinition", "A resource configuration of type SINGLE needs an ipResource or a dnsResource")


def _address(address: str) -> str:
    member = "resourceConfigurationDefinition.ipResource.ipAddress"
    try:
        found = IPv4Address(address)
    except AddressValueError:
        if ":" in address:
            raise text.unsupported(member, "IPv6 resources are not supported yet") from None
        raise text.invalid(member, f"{address} is not an IP address") from None
    if not any(found in block for block in PRIVATE):
        raise text.invalid(member, f"{address} is not a private address: {', '.join(str(block) for block in PRIVATE)}")
    return str(found)


def _verification(ctx: Context, params: Mapping[str, Any]) -> Document:
    """The domain verification that covers the custom domain name."""
    row = usable(ctx, DOMAIN_VERIFICATION, params["domainVerificationIdentifier"])
    custom, verified = str(params.get("customDomainName") or "").lower().rstrip("."), row.document["domainName"].lower()
    if custom != verified and not custom.endswith("." + verified):
        raise text.invalid("domainVerificationIdentifier", f"Domain verification {row.id} is for {verified}, which does not cover {custom or 'no name'}")
    return {"domainVerificationId": row.id, "domainVerificationArn": row.arn}
