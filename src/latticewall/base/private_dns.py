"""For which domains VPC Lattice makes private hosted zones: the preference of a VPC association or an endpoint ("Custom domain names for VPC resources")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DEFAULT = "VERIFIED_DOMAINS_ONLY"
WITH_DOMAINS = ("VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS", "SPECIFIED_DOMAINS_ONLY")
PREFERENCES = (DEFAULT, "ALL_DOMAINS", *WITH_DOMAINS)


def covers(options: Mapping[str, Any], domain: str, *, verified: bool) -> bool:
    """Whether a preference covers a domain. options: privateDnsPreference and privateDnsSpecifiedDomains, in either service's spelling."""
    given = {name[:1].lower() + name[1:]: value for name, value in options.items()}
    specified = is_specified(domain, given.get("privateDnsSpecifiedDomains") or ())
    return {
        "ALL_DOMAINS": True,
        "VERIFIED_DOMAINS_ONLY": verified,
        "VERIFIED_DOMAINS_AND_SPECIFIED_DOMAINS": verified or specified,
        "SPECIFIED_DOMAINS_ONLY": specified,
    }[given.get("privateDnsPreference") or DEFAULT]


def is_specified(domain: str, specified: Iterable[str]) -> bool:
    """Equal to one of the specified domains, or beneath one of the form *.example.com."""
    domain = plain(domain)
    return any(domain.endswith(plain(one)[1:]) if one.startswith("*.") else domain == plain(one) for one in specified)


def is_at_or_above(domain: str, name: str) -> bool:
    return plain(name) == plain(domain) or plain(name).endswith("." + plain(domain))


def plain(name: str) -> str:
    """Lower case, without the final dot."""
    return name.lower().rstrip(".")
