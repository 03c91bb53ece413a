"""Tunnel endpoints: packets out of GENEVE, through the resource gateway into its VPC ("Access network segments through AWS PrivateLink").

The endpoint's namespace takes the encapsulated packets, the gateway's namespace what was in them: a link for each Availability Zone between the two, whose
near end an engine in user space holds. Which destinations and ports a segment has is the gateway's filter; the source becomes an address of the gateway there,
and from then on a packet is one of the gateway's interface like any other. Every client stands for an address of its zone's block until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from latticewall.base.ids import device, digest, namespace, table_number
from latticewall.base.segments import GENEVE_PORT, INNER, INNER_IPV6, NAMESERVER, NEVER_IN_SEGMENTS, inner_block, inner_block_ipv6
from latticewall.compile import addresses, ipv6
from latticewall.compile.index import GatewayInterface, Index
from latticewall.compile.service_network import ServiceNetworkGates, port_texts
from latticewall.plan.nft import Chain, Match, NftRule
from latticewall.plan.topology import Address, End, Link, PolicyRule, Route
from latticewall.plan.tunnels import TunnelPlan, TunnelZone
from latticewall.world.types import EndpointZone, ResourceConfiguration, VpcEndpoint

MTU = addresses.VPC_MTU - 56
"""Of packets inside: less an IPv6 header, a UDP header and a GENEVE header without options."""
CIDR = "CIDR"
"""The type of resource configurations that are segments."""
SYSCTLS = (("ipv4/ip_forward", "1"), ("netfilter/nf_conntrack_tcp_timeout_established", "350"))
"""Of a gateway with tunnels. Seconds of the idle timeout: the engine lets an address stand for somebody else after no shorter time."""
DNS = 53
MAIN = 254
RULE_PRIORITY = 1000
NEVER = tuple(map(str, (*NEVER_IN_SEGMENTS, addresses.LATTICE_RESOURCES, "fc00::/7")))
"""Destinations that are in no segment, however wide: besides what is reserved everywhere, VPC Lattice's own addresses, and what the region has for itself."""


@dataclass(frozen=True)
class TunnelEnd:
    """An endpoint in one Availability Zone, and the gateway's interface there."""

    endpoint: VpcEndpoint
    zone: EndpointZone
    configuration: ResourceConfiguration
    interface: GatewayInterface

    @property
    def device(self) -> str:
        """In the endpoint's namespace."""
        return device("g", self.endpoint.id, self.zone.subnet_id)

    @property
    def far_device(self) -> str:
        """In the gateway's namespace."""
        return device("u", self.endpoint.id, self.zone.subnet_id)

    @property
    def mark(self) -> str:
        """Of the connections that came out of it: another endpoint may later have the block, while a server still answers to what this one's clients asked."""
        return f"0x{int.from_bytes(digest(self.zone.interface_id)[:4], 'big') | 1:08x}"

    @property
    def block(self) -> str:
        return str(inner_block(self.zone.inner))

    @property
    def block_ipv6(self) -> str:
        """ "" where the gateway has no IPv6."""
        return str(inner_block_ipv6(self.zone.inner)) if self.interface.interface.ipv6_addresses else ""


def segment_of(gates: ServiceNetworkGates, endpoint: VpcEndpoint) -> ResourceConfiguration | None:
    """The segment that a tunnel endpoint leads to; None of all other endpoints."""
    configuration = gates.configurations.get(endpoint.resource_configuration_id)
    return configuration if configuration is not None and configuration.type == CIDR else None


def tunnel_ends(index: Index, gates: ServiceNetworkGates) -> list[TunnelEnd]:
    """All tunnels, zone by zone."""
    found = []
    for endpoint in index.world.vpc_endpoints:
        configuration = segment_of(gates, endpoint)
        gateway = gates.gateways.get(configuration.gateway_id) if configuration else None
        if configuration is None or gateway is None:
            continue
        own = [item for item in index.gateway_interfaces_of.get(gateway.vpc_id, []) if item.gateway.id == gateway.id]
        homes = {item.subnet.availability_zone: item for item in sorted(own, key=lambda item: item.subnet.id, reverse=True)}
        for zone in endpoint.zones:
            there = homes.get(index.subnets[zone.subnet_id].availability_zone) if zone.subnet_id in index.subnets else None
            if there is not None and zone.addresses and zone.inner >= 0:
                found.append(TunnelEnd(endpoint, zone, configuration, there))
    return found


def compile_tunnels(index: Index, gates: ServiceNetworkGates) -> tuple[TunnelPlan, ...]:
    """The engines, one for each endpoint."""
    ends: dict[str, list[TunnelEnd]] = {}
    for end in tunnel_ends(index, gates):
        ends.setdefault(end.endpoint.id, []).append(end)
    return tuple(
        TunnelPlan(identifier, namespace("vpce", identifier), namespace("rgw", items[0].interface.gateway.id), tuple(map(_zone, items)), MTU)
        for identifier, items in sorted(ends.items())
    )


def _zone(end: TunnelEnd) -> TunnelZone:
    return TunnelZone(tuple(str(address) for address in end.zone.addresses), end.device, end.far_device, end.block, end.block_ipv6)


# -- at the endpoint ---------------------------------------------------------------------------------------------------------------------------


def links(ends: Sequence[TunnelEnd]) -> list[Link]:
    """From the endpoints' namespaces into the gateway's."""
    return [
        Link(End(namespace("vpce", end.endpoint.id), end.device), End(namespace("rgw", end.interface.gateway.id), end.far_device), MTU, end.endpoint.id)
        for end in ends
    ]


def geneve_in(endpoint: VpcEndpoint) -> Iterator[NftRule]:
    for here in ipv6.addressed("daddr", (address for zone in endpoint.zones for address in zone.addresses)):
        yield NftRule((here, Match("udp dport", (str(GENEVE_PORT),))), "accept", comment="GENEVE")


def geneve_out(endpoint: VpcEndpoint) -> Iterator[NftRule]:
    """Answers go to the same port, whatever port the client's came from: for the connection tracking they are connections of their own."""
    both = (Match("udp sport", (str(GENEVE_PORT),)), Match("udp dport", (str(GENEVE_PORT),)))
    for here in ipv6.addressed("saddr", (address for zone in endpoint.zones for address in zone.addresses)):
        yield NftRule((here, *both), "accept", comment="GENEVE")


# -- at the gateway ----------------------------------------------------------------------------------------------------------------------------


def routes(ends: Sequence[TunnelEnd]) -> list[Route]:
    """Back to whom an inner address stands for."""
    found = [Route(MAIN, end.block, end.far_device, origin=end.endpoint.id) for end in ends]
    return found + [Route(MAIN, end.block_ipv6, end.far_device, origin=end.endpoint.id) for end in ends if end.block_ipv6]


def rules(ends: Sequence[TunnelEnd]) -> list[PolicyRule]:
    """Out of a tunnel by the gateway's interface in its Availability Zone."""
    return [
        PolicyRule(RULE_PRIORITY, table_number(end.interface.interface.id), incoming=end.far_device, family=family)
        for end in ends for family in ((4, 6) if end.block_ipv6 else (4,))
    ]  # fmt: skip


def local_addresses(ends: Sequence[TunnelEnd]) -> list[Address]:
    return [Address("lo", f"{NAMESERVER}/32")] if ends else []


def resolves(configuration: ResourceConfiguration) -> bool:
    """Whether the nameserver answers in the segment's tunnels: port 53 must be one of its ports."""
    return any(first <= DNS <= last for first, last in configuration.port_ranges)


def input_rules(ends: Sequence[TunnelEnd]) -> Iterator[NftRule]:
    """The nameserver, over UDP only where the segment has the protocol."""
    for end in (one for one in ends if resolves(one.configuration)):
        here = (Match("iifname", (end.far_device,)), Match("ip daddr", (str(NAMESERVER),)))
        for key in ("tcp dport", "udp dport") if end.configuration.protocol == "TCP_UDP" else ("tcp dport",):
            yield NftRule((*here, Match(key, (str(DNS),))), "accept", comment=f"{end.endpoint.id} nameserver")


def chains(ends: Sequence[TunnelEnd], interfaces: Sequence[GatewayInterface], established: NftRule) -> tuple[Chain, ...]:
    """Only from a tunnel, only into its segment; everything else that would be handed on is dropped. interfaces: all of the gateway's."""
    outside = Match("oifname", tuple(sorted(item.gateway_device for item in interfaces)))
    first = [rule for end in ends for rule in _as_clients(end)]
    clamp = NftRule((Match("tcp flags", ("syn",)),), "tcp option maxseg size set rt mtu", comment="MSS clamped to what fits into a tunnel")
    never = [NftRule((there,), "drop", comment="in no segment") for there in ipv6.addressed("daddr", NEVER)]
    begun = Match("ct state", ("new",))
    inside = [
        NftRule((Match("iifname", (end.far_device,)), outside, begun, *rest), f"ct mark set {end.mark} ; accept", comment=end.configuration.id)
        for end in ends for rest in _segment(end)
    ]  # fmt: skip
    own = [rule for end in ends for rule in _own_connections(end)]
    return (
        Chain("prerouting", tuple(first), hook="prerouting", priority=-300),
        Chain("forward", (clamp, *own, established, *never, *inside), hook="forward", policy="drop"),
        Chain("postrouting", tuple(_sources(interfaces)), hook="postrouting", type="nat", priority=100),
    )


def _as_clients(end: TunnelEnd) -> Iterator[NftRule]:
    """What comes out of a tunnel has an address of its zone's block."""
    here, comment = Match("iifname", (end.far_device,)), f"{end.endpoint.id} source check"
    yield NftRule((here, Match("ip saddr", (end.block,), negate=True)), "drop", comment=comment)
    if end.block_ipv6:
        yield NftRule((here, Match("ip6 saddr", (end.block_ipv6,), negate=True)), "drop", comment=comment)
    else:
        yield NftRule((here, Match("meta nfproto", ("ipv6",))), "drop", comment=comment)


def _own_connections(end: TunnelEnd) -> Iterator[NftRule]:
    """In and out of a tunnel go only connections that began in it."""
    other, comment = Match("ct mark", (end.mark,), negate=True), f"{end.endpoint.id}: another's connection"
    yield NftRule((Match("oifname", (end.far_device,)), other), "drop", comment=comment)
    yield NftRule((Match("iifname", (end.far_device,)), Match("ct state", ("new",), negate=True), other), "drop", comment=comment)


def _segment(end: TunnelEnd) -> Iterator[tuple[Match, ...]]:
    """Regular traffic is TCP; of UDP there is DNS, where the segment has that protocol and that port."""
    for there in ipv6.addressed("daddr", end.configuration.definition["cidrResource"]["cidrRanges"]):
        yield there, Match("tcp dport", port_texts(end.configuration))
        if end.configuration.protocol == "TCP_UDP" and resolves(end.configuration):
            yield there, Match("udp dport", (str(DNS),))


def _sources(interfaces: Sequence[GatewayInterface]) -> Iterator[NftRule]:
    """Each connection comes from one of the addresses that the gateway has where it leaves. The kernel keeps apart what would look alike."""
    for item in interfaces:
        families = (("ip", str(INNER), item.interface.addresses), ("ip6", str(INNER_IPV6), item.interface.ipv6_addresses))
        for family, inner, own in families:
            if own:
                chosen = ", ".join(f"{number} : {address}" for number, address in enumerate(own))
                matches = (Match("oifname", (item.gateway_device,)), Match(f"{family} saddr", (inner,)))
                yield NftRule(matches, f"snat {family} to numgen random mod {len(own)} map {{ {chosen} }}", comment=item.gateway.id)
