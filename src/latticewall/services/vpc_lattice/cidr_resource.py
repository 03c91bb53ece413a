"""Network segments: resource configurations of type CIDR ("Resource configurations for VPC resources", "Access network segments through AWS PrivateLink").

Consumers reach whatever is in a segment through tunnel VPC endpoints, never through a service network.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from latticewall.base.rows import Row
from latticewall.base.segments import NEVER_IN_SEGMENTS
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text

MEMBER = "resourceConfigurationDefinition.cidrResource.cidrRanges"
IN_VPC = "IN_VPC"


def cidr_definition(params: Mapping[str, Any], gateway: Row) -> Document:
    """The definition of a segment: its ranges, of families that the gateway has. A whole address space stands alone."""
    if gateway.document.get("resourceConfigDnsResolution") != IN_VPC:
        message = f"Resource gateway {gateway.id} does not resolve names in its VPC: type CIDR needs a gateway whose resourceConfigDnsResolution is {IN_VPC}"
        raise text.invalid("resourceGatewayIdentifier", message)
    ranges = ((params.get("resourceConfigurationDefinition") or {}).get("cidrResource") or {}).get("cidrRanges")
    if not ranges:
        raise text.invalid("resourceConfigurationDefinition", "A resource configuration of type CIDR needs a cidrResource")
    found = list(dict.fromkeys(_range(item, gateway) for item in ranges))
    if len(found) > 1 and any(item.endswith("/0") for item in found):
        raise text.invalid(MEMBER, "0.0.0.0/0 and ::/0 stand for the whole network: each must be the only range")
    return {"cidrResource": {"cidrRanges": found}}


def _range(item: str, gateway: Row) -> str:
    """One range as it is written canonically. Raises Invalid."""
    try:
        if "/" not in item:
            raise ValueError
        network = ip_network(item)
    except ValueError:
        raise text.invalid(MEMBER, f"{item} is not a CIDR range: an address, all of whose bits after the prefix are zero, and a prefix length") from None
    reserved = next((block for block in NEVER_IN_SEGMENTS if block.overlaps(network)), None)
    if network.prefixlen and reserved is not None:
        raise text.invalid(MEMBER, f"{item} is not possible: {reserved} is reserved")
    if gateway.document["ipAddressType"] not in (f"IPV{network.version}", "DUALSTACK"):
        has = gateway.document["ipAddressType"]
        raise text.invalid(MEMBER, f"{item} is of IPv{network.version}, and the IP address type of resource gateway {gateway.id} is {has}")
    return str(network)
