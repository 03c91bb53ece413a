"""Private DNS of endpoints to VPC Lattice: custom domain names of resources in the endpoint's VPC ("Custom domain names for VPC resources")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from latticewall.base import private_dns
from latticewall.base.rows import Row
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.ec2 import endpoint_zones, text
from latticewall.services.ec2.requests import only

KIND = "ec2:VpcEndpoint"
OPTIONS = "DnsRecordIpType PrivateDnsPreference PrivateDnsSpecifiedDomains PrivateDnsOnlyForInboundResolverEndpoint"
MOST_DOMAINS, LONGEST_DOMAIN = 10, 255
RECORD_TYPES: Mapping[str, tuple[str, ...]] = {"ipv4": ("ipv4",), "ipv6": ("ipv6",), "dualstack": ("dualstack", "ipv4", "ipv6", "service-defined")}
"""IpAddressType -> the types of DNS records that go with it, the first by itself ("DNS record IP type")."""


def options(params: Document, present: Document, *, private: bool, address_type: str) -> Document:
    """DnsOptions as they are from now on, checked. The preference counts only with private DNS. A type of records that a new IpAddressType cannot have gives
    way to that one's own."""
    given = {member: value for member, value in (params.get("DnsOptions") or {}).items() if value not in (None, [], False)}
    only(given, OPTIONS)
    if given.get("PrivateDnsOnlyForInboundResolverEndpoint"):
        raise text.invalid("InvalidParameter", "PrivateDnsOnlyForInboundResolverEndpoint is not supported for this endpoint type.")
    known = RECORD_TYPES[address_type]
    if given.get("DnsRecordIpType") not in (None, *RECORD_TYPES["dualstack"]):
        raise text.bad_value(given["DnsRecordIpType"], "dnsOptions.dnsRecordIpType", f"It is not one of {', '.join(RECORD_TYPES['dualstack'])}.")
    if given.get("DnsRecordIpType") not in (None, *known):
        raise text.bad_combination(f"The DNS record IP type {given['DnsRecordIpType']} does not go with the IP address type {address_type}.")
    found = {**present, "DnsRecordIpType": present["DnsRecordIpType"] if present.get("DnsRecordIpType") in known else known[0], **given}
    preference = found.get("PrivateDnsPreference")
    if preference and preference not in private_dns.PREFERENCES:
        raise text.bad_value(preference, "dnsOptions.privateDnsPreference", f"It is not one of {', '.join(private_dns.PREFERENCES)}.")
    if preference not in private_dns.WITH_DOMAINS and "PrivateDnsSpecifiedDomains" not in given:
        found.pop("PrivateDnsSpecifiedDomains", None)
    _check_domains(preference, found.get("PrivateDnsSpecifiedDomains") or ())
    if given.get("PrivateDnsPreference") and not private:
        raise text.bad_combination("A private DNS preference needs PrivateDnsEnabled.")
    return found


def _check_domains(preference: str | None, domains: Sequence[str]) -> None:
    member = "dnsOptions.privateDnsSpecifiedDomains"
    if (preference in private_dns.WITH_DOMAINS) != bool(domains):
        raise text.bad_combination(f"Specified domains are needed with the preferences {', '.join(private_dns.WITH_DOMAINS)}, and allowed with no other.")
    if len(domains) > MOST_DOMAINS:
        raise text.bad_value(len(domains), member, f"There can be at most {MOST_DOMAINS} of them.")
    for domain in domains:
        labels = domain.removeprefix("*.").rstrip(".").split(".")
        if len(domain) > LONGEST_DOMAIN or not all(label.replace("-", "").replace("_", "").isalnum() and label.isascii() for label in labels):
            raise text.bad_value(domain, member, "It is not a domain name.")


def check(ctx: Context, row: Row, vpc: Row) -> None:
    """Private DNS needs both DNS attributes of the VPC, and in one VPC a resource can have it through one endpoint only."""
    if not row.document["PrivateDnsEnabled"]:
        return
    if not (vpc.document["_EnableDnsSupport"] and vpc.document["_EnableDnsHostnames"]):
        message = f"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {vpc.id}"
        raise text.invalid("InvalidParameter", message)
    own = {leaf.id: domain for _, leaf, domain in private_names(ctx, row)}
    others = (other for other in ctx.referring(vpc, KIND) if other.id != row.id and other.document.get("PrivateDnsEnabled") and other.status != "deleting")
    for other in others if own else ():
        taken = [own[leaf.id] for _, leaf, _ in private_names(ctx, other) if leaf.id in own]
        if taken:
            message = f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for {taken[0]} in the VPC {vpc.id}"
            raise text.invalid("InvalidParameter", message)


def private_names(ctx: Context, row: Row) -> Iterator[tuple[str, Row, str]]:
    """(association with the service network or "", resource configuration, its custom domain name) of all that have a private name through the endpoint.
    DB instances have one through a service network whether or not private DNS is on for the endpoint."""
    if "_zones" not in row.document:
        return
    enabled = row.document["PrivateDnsEnabled"]
    verified = [item.document["domainName"] for item in ctx.tx.rows("vpc-lattice:DomainVerification") if item.document.get("status") == "VERIFIED"]
    for association, configuration, leaf in endpoint_zones.leads_to(ctx, row):
        is_arn = leaf.document["type"] == "ARN"
        if (association.document.get("privateDnsEnabled") and (enabled or is_arn)) if association else enabled:
            domain = _own_domain(leaf)
            known = [*verified, domain] if is_arn else verified
            if domain and any(_is_covered(row, one, known) for one in _domains(configuration, leaf)):
                yield association.id if association else "", leaf, domain


def _own_domain(leaf: Row) -> str:
    """Its custom domain name; of a DB instance the name that it has from AWS."""
    return str(leaf.document.get("customDomainName") or leaf.document.get("_domain") or "")


def _domains(configuration: Row, leaf: Row) -> list[str]:
    """The domains by which a resource's private name may be wanted: its own, of a child also that of its group, without which it has no private name."""
    own, group = _own_domain(leaf), configuration.document.get("groupDomain")
    if configuration.id != leaf.id:
        return [own, group] if own and group else []
    return [own] if own else []


def _is_covered(row: Row, domain: str, verified: Sequence[str]) -> bool:
    is_verified = any(private_dns.is_at_or_above(name, domain) for name in verified)
    return private_dns.covers(row.document["DnsOptions"], domain, verified=is_verified)
