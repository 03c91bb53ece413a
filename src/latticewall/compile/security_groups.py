"""Security groups as two independent gates per network interface ("Control traffic to your AWS resources using security groups").

Chain `eg_<interface>` is what may leave it, `in_<interface>` what may reach it: "return" means this gate lets the packet on, the end of the
chain drops. A packet between two interfaces passes both; replies never come here, connection tracking has let them through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from latticewall.base.ids import device
from latticewall.compile.index import Connected, Index
from latticewall.plan.nft import Chain, Match, NftRule
from latticewall.world.types import Network, SecurityGroupRule

ALL_PORTS = (0, 65535)


def gate_name(direction: str, owner_id: str) -> str:
    """The chain of one gate: direction "eg" or "in"."""
    return f"{direction}_{device('', owner_id)}"


def compile_gates(index: Index, connected: Iterable[Connected]) -> list[Chain]:
    """Both gates of every interface."""
    found = []
    for item in connected:
        groups = item.interface.security_group_ids
        found.append(gate(index, gate_name("eg", item.interface.id), groups, egress=True, owner=item.interface.id))
        found.append(gate(index, gate_name("in", item.interface.id), groups, egress=False, owner=item.interface.id))
    return found


def gate(index: Index, name: str, group_ids: Iterable[str], *, egress: bool, owner: str) -> Chain:
    """One gate: returns for what a rule of the groups allows, drops the rest."""
    rules = [rule for group in group_ids for rule in _group_rules(index, group, egress=egress, verdict="return")]
    return Chain(name, (*rules, NftRule((), "drop", comment=f"{owner}: no rule allows it")))


def _group_rules(index: Index, group_id: str, *, egress: bool, verdict: str) -> Iterator[NftRule]:
    group = index.security_groups.get(group_id)
    for rule in group.rules if group else ():
        if rule.egress == egress:
            for matches in rule_matches(index, rule, has_ipv6=index.has_ipv6(group.vpc_id) if group else False):
                yield NftRule(matches, verdict, comment=rule.id)


def rule_matches(index: Index, rule: SecurityGroupRule, *, has_ipv6: bool) -> Iterator[tuple[Match, ...]]:
    """The conditions of a rule, for each family that it speaks of; none at all when it refers to nothing that has an address.

    has_ipv6: there are packets of both families where the rule stands.
    """
    protocol = protocol_matches(rule.protocol, rule.from_port, rule.to_port)
    if rule.cidr is not None:
        yield (*peer_matches(rule.cidr, egress=rule.egress, has_ipv6=has_ipv6), *protocol)
        return
    peers = [(address.version, str(address)) for address in _peers(index, rule)]
    for version, key in ((4, "ip"), (6, "ip6")):
        if of_family := tuple(text for found, text in peers if found == version):
            yield (Match(f"{key} {'daddr' if rule.egress else 'saddr'}", of_family), *protocol)


def peer_matches(cidr: Network, *, egress: bool, has_ipv6: bool) -> tuple[Match, ...]:
    """The other side of a rule or an entry. All of IPv4 needs no condition where there is nothing else."""
    if cidr.prefixlen == 0:
        return (Match("meta nfproto", (f"ipv{cidr.version}",)),) if has_ipv6 or cidr.version == 6 else ()
    return (Match(f"{'ip' if cidr.version == 4 else 'ip6'} {'daddr' if egress else 'saddr'}", (str(cidr),)),)


def _peers(index: Index, rule: SecurityGroupRule) -> Iterable[IPv4Address | IPv6Address | Network]:
    """What a group or a prefix list stands for."""
    if rule.group_id:
        return index.members_of_group.get(rule.group_id, ())
    return index.prefix_lists.get(rule.prefix_list_id, ())


def protocol_matches(protocol: str, first: int, last: int) -> tuple[Match, ...]:
    """Protocol and ports (for ICMP: type and code, -1 = any) as conditions."""
    name = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}.get(protocol, protocol)
    if name == "-1":
        return ()
    if name in ("tcp", "udp"):
        whole = (first, last) in (ALL_PORTS, (-1, -1))
        return (Match("meta l4proto", (name,)),) if whole else (Match(f"{name} dport", (str(first) if first == last else f"{first}-{last}",)),)
    if name in ("icmp", "icmpv6"):
        kind = (Match(f"{name} type", (str(first),)),) if first >= 0 else (Match("meta l4proto", ("icmp" if name == "icmp" else "ipv6-icmp",)),)
        return (*kind, Match(f"{name} code", (str(last),))) if first >= 0 and last >= 0 else kind
    return (Match("meta l4proto", (name,)),)
