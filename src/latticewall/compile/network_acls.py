"""Network ACLs: stateless, at every crossing of a subnet's border ("Network ACL rules").

The service network's own addresses are in no subnet: whatever an instance exchanges with them crosses its subnet's border ("Control traffic to VPC Lattice
using network ACLs"). They are local to the router, so that such packets, replies too, meet the ACLs where the router takes and sends them. An ACL that
allows everything both ways (every VPC's default one) needs no rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from latticewall.base.ids import device
from latticewall.compile import addresses, ipv6
from latticewall.compile.index import Index, firewall_device
from latticewall.compile.security_groups import peer_matches, protocol_matches
from latticewall.plan.nft import Chain, Match, NftRule
from latticewall.world.types import NetworkAcl, NetworkAclEntry, Vpc


@dataclass(frozen=True)
class Acls:
    """The jumps for each of the router's chains (out of the source's subnet first, then into the destination's), and the chains they lead to."""

    forward: tuple[NftRule, ...]
    incoming: tuple[NftRule, ...]
    outgoing: tuple[NftRule, ...]
    chains: tuple[Chain, ...]


def chain_name(subnet_id: str, *, egress: bool) -> str:
    """The chain of one direction of a subnet's ACL; there is none where the ACL allows everything."""
    return f"acl_{'out' if egress else 'in'}_{device('', subnet_id)}"


def compile_acls(index: Index, vpc: Vpc) -> Acls:
    """What the network ACLs of a VPC's subnets add to its router."""
    acls = {acl.id: acl for acl in index.world.network_acls}
    devices, outside = _devices_by_subnet(index, vpc), lattice_ranges(has_ipv6=bool(vpc.ipv6_cidrs))
    closing = []
    for subnet in index.subnets_of.get(vpc.id, []):
        acl = acls.get(subnet.network_acl_id)
        if acl is not None and subnet.id in devices and not allows_everything(acl, has_ipv6=bool(vpc.ipv6_cidrs)):
            closing.append((subnet, acl))
    chains: list[Chain] = []
    jumps: dict[str, list[NftRule]] = {"forward": [], "incoming": [], "outgoing": []}
    for egress in (True, False):
        for subnet, acl in closing:
            names, name = devices[subnet.id], chain_name(subnet.id, egress=egress)
            within = NftRule((Match("oifname" if egress else "iifname", names),), "return", comment="inside the subnet")
            chains.append(Chain(name, (within, *_entries(acl, egress=egress, has_ipv6=bool(vpc.ipv6_cidrs)))))
            for place, matches in _crossings(names, outside, egress=egress):
                jumps[place].append(NftRule(matches, f"jump {name}", comment=f"{subnet.id} {acl.id}"))
    return Acls(tuple(jumps["forward"]), tuple(jumps["incoming"]), tuple(jumps["outgoing"]), tuple(chains))


def _crossings(names: tuple[str, ...], outside: Iterable[str], *, egress: bool) -> Iterator[tuple[str, tuple[Match, ...]]]:
    """Where packets leave (egress) or enter a subnet. names: its devices. outside: addresses of the router that are in no subnet."""
    here = "iifname" if egress else "oifname"
    yield "forward", (Match(here, names),)
    for match in ipv6.addressed("daddr" if egress else "saddr", outside):
        yield "incoming" if egress else "outgoing", (Match(here, names), match)


def lattice_ranges(*, has_ipv6: bool) -> tuple[str, ...]:
    """Where the service network's own addresses are."""
    found = (addresses.LATTICE_RANGE, addresses.LATTICE_RESOURCES, *((addresses.LATTICE_IPV6,) if has_ipv6 else ()))
    return tuple(map(str, found))


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
