"""The names that Lattice gives ("Services in VPC Lattice", "Custom domain names for VPC resources")."""

from __future__ import annotations

import re

from latticewall.base.lattice_names import resource_name, service_name, zone_id
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text

GENERATED = ".on.aws"
_NAME = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def check_name(member: str, name: str, *, wildcard: bool = False) -> str:
    """A fully qualified domain name without a final dot, as given; wildcard: may begin with `*.`. The API's model admits any text. An IPv4 address is none:
    no top-level domain is a number.

    Names under Lattice's own domain are refused: nobody may answer for a generated name.
    """
    plain = name.removeprefix("*.") if wildcard else name
    if not _NAME.fullmatch(plain) or plain.rpartition(".")[2].isdigit():
        raise text.invalid(member, f"{name} is not a domain name")
    if plain.lower().endswith(GENERATED):
        raise text.invalid(member, f"{name} is under a domain that is reserved for VPC Lattice")
    return name


def service_entry(region: str, name: str, service_id: str) -> Document:
    """A service's dnsEntry: the same through every service network."""
    label = f"{name}-{service_id.removeprefix('svc-')}"
    return {"domainName": service_name(region, label), "hostedZoneId": zone_id("svcs", region)}


def resource_entry(region: str, association_id: str, configuration_id: str) -> Document:
    """The dnsEntry of a resource in a service network."""
    return {"domainName": resource_name(region, association_id, configuration_id), "hostedZoneId": zone_id("rsc", region)}
