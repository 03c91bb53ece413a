"""Network ACLs: stateless, at every crossing of a subnet's border ("Network ACL rules").

An ACL that allows everything both ways (every VPC's default one) needs no rules.
"""

from __future__ import annotations

from collections import defaultdict

from latticewall.base.ids import device
from latticewall.compile.index import Index, firewall_device
from latticewall.compile.security_groups import peer_matches, protocol_matches
from latticewall.plan.nft import Chain, Match, NftRule
from latticewall.world.types import NetworkAcl, NetworkAclEntry, Vpc


def compile_acls(index: Index, vpc: Vpc) -> tuple[list[NftRule], list[Chain]]:
    """The jumps for the forward chain, and the chains they lead to: out of the source subnet, then into the destination subnet."""
    acls = {acl.id: acl for acl in index.world.network_acls}
    devices = _devices_by_subnet(index, vpc)
    leaving: list[NftRule] = []
    entering: list[NftRule] = []
    chains: list[Chain] = []
    for subnet in index.subnets_of.get(vpc.id, []):
        acl = acls.get(subnet.network_acl_id)
        names = devices.get(subnet.id, ())
        if acl is None or not names or allows_everything(acl, has_ipv6=bool(vpc.ipv6_cidrs)):
            continue
        for egress, key, jumps in ((True, "iifname", leaving), (False, "oifname", entering)):
            name = f"acl_{'out' if egress else 'in'}_{device('', subnet.id)}"
            within = NftRule((Match("oifname" if egress else "iifname", names),), "return", comment="inside the subnet")
            chains.append(Chain(name, (within, *_entries(acl, egress=egress, has_ipv6=bool(vpc.ipv6_cidrs)))))
            jumps.append(NftRule((Match(key, names),), f"jump {name}", comment=f"{subnet.id} {acl.id}"))
    return leaving + entering, chains


def allows_everything(acl: NetworkAcl, *, has_ipv6: bool = False) -> bool:
    """Whether the first entry of each direction (and family) already lets every packet pass."""
    first: dict[tuple[bool, int], NetworkAclEntry] = {}
    for entry in sorted(acl.entries, key=lambda entry: entry.number):
        if has_ipv6 or entry.cidr.version == 4:
            first.setdefault((entry.egress, entry.cidr.version), entry)
    needed = 4 if has_ipv6 else 2
    return len(first) == needed and all(entry.allow and entry.protocol == "-1" and entry.cidr.prefixlen == 0 for entry in first.values())


def _entries(acl: NetworkAcl, *, egress: bool, has_ipv6: bool) -> list[NftRule]:
    entries = sorted((entry for entry in acl.entries if entry.egress == egress), key=lambda entry: entry.number)
    rules = [_entry(acl, entry, has_ipv6=has_ipv6) for entry in entries if has_ipv6 or entry.cidr.version == 4]
    return [*rules, NftRule((), "drop", comment=f"{acl.id} *")]


def _entry(acl: NetworkAcl, entry: NetworkAclEntry, *, has_ipv6: bool) -> NftRule:
    matches = (*peer_matches(entry.cidr, egress=entry.egress, has_ipv6=has_ipv6), *protocol_matches(entry.protocol, entry.from_port, entry.to_port))
    return NftRule(matches, "return" if entry.allow else "drop", comment=f"{acl.id} #{entry.number}")


def _devices_by_subnet(index: Index, vpc: Vpc) -> dict[str, tuple[str, ...]]:
    found = defaultdict(list)
    for item in index.connected(vpc.id):
        found[item.subnet.id].append(item.router_device)
    for attachment in index.attachment_subnets_of.get(vpc.id, []):
        found[attachment.subnet.id].append(attachment.vpc_device)
    for endpoint in index.firewall_endpoints_of.get(vpc.id, []):
        found[endpoint.subnet_id].append(firewall_device(endpoint.id))
    return {subnet: tuple(sorted(names)) for subnet, names in found.items()}
