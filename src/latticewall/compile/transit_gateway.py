"""A Transit Gateway as a router namespace ("How AWS Transit Gateway works", "Amazon VPC attachments in AWS Transit Gateway").

Association: the table that the incoming attachment's interface asks. Zones: traffic stays in the Availability Zone it came from where the destination
has an attachment there. Appliance mode: the first packet of a flow chooses the appliance's zone for both directions, kept as connection mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latticewall.base.ids import namespace, table_number
from latticewall.compile import addresses, ipv6
from latticewall.compile.index import AttachmentSubnet, Index
from latticewall.compile.route_tables import destination_text
from latticewall.compile.vpc import ROUTER_SYSCTLS
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.topology import Address, End, Link, Namespace, PolicyRule, Route
from latticewall.world.types import TransitGateway, TransitGatewayAttachment, TransitGatewayRouteTable

MARK_MASK = 0xFF
RULE_PRIORITY = 1000


@dataclass(frozen=True)
class Zones:
    """The gateway's Availability Zones in order; a zone's mark is its position + 1."""

    names: tuple[str, ...]
    appliance: tuple[str, ...]

    def mark(self, zone: str) -> int:
        return self.names.index(zone) + 1

    def of_mark(self, mark: int) -> str:
        return self.names[mark - 1]


def compile_transit_gateway(index: Index, gateway: TransitGateway) -> tuple[Namespace, list[Link]]:
    """The gateway's namespace and its links to the attached VPCs."""
    name = namespace("tgw", gateway.id)
    present = [item for items in index.attachment_subnets_of.values() for item in items if item.attachment.transit_gateway_id == gateway.id]
    present.sort(key=lambda item: item.gateway_device)
    appliance = tuple(sorted({item.subnet.availability_zone for item in present if item.attachment.appliance_mode}))
    zones = Zones(tuple(sorted({item.subnet.availability_zone for item in present})), appliance)
    tables = {table.id: table for table in gateway.route_tables}
    dual = [item for item in present if item.attachment.ipv6_support]
    nowhere = ("default", ipv6.DEFAULT) if dual else ("default",)
    routes = {Route(254, destination, kind="blackhole", origin="attachment without association") for destination in nowhere}
    rules: set[PolicyRule] = set()
    for item in present:
        table = tables.get(item.attachment.route_table_id)
        if table is not None:
            for mark in _marks(table, present, zones):
                number = table_number(table.id, item.subnet.availability_zone, str(mark))
                routes.update(_table(table, present, zones, item.subnet.availability_zone, mark, number, nowhere))
                for family in (4, 6) if item.attachment.ipv6_support else (4,):
                    rules.add(PolicyRule(RULE_PRIORITY - bool(mark), number, item.gateway_device, mark, MARK_MASK if mark else 0, family=family))
    links = [
        Link(End(name, item.gateway_device), End(namespace("vpc", item.attachment.vpc_id), item.vpc_device), addresses.TRANSIT_GATEWAY_MTU, item.attachment.id)
        for item in present
    ]
    router = Namespace(
        name=name, kind="transit-gateway", owner=gateway.id, addresses=tuple(sorted(_addresses(dual))), routes=tuple(sorted(routes)),
        rules=tuple(sorted(rules)), sysctls=ipv6.dual_stack(ROUTER_SYSCTLS, routes=True) if dual else ROUTER_SYSCTLS,
        ruleset=_ruleset(index, gateway, present, zones),
    )  # fmt: skip
    return router, links


def _addresses(dual: Sequence[AttachmentSubnet]) -> list[Address]:
    """dual: attachments with IPv6 support."""
    here = Address("lo", f"{addresses.TRANSIT_GATEWAY_SIDE}/32")
    return [here, *(Address(item.gateway_device, f"{ipv6.TRANSIT_GATEWAY_SIDE}/128") for item in dual)]


def counter_name(attachment_id: str, direction: str) -> str:
    """The byte counter of an attachment: direction "in" (into the gateway) or "out"."""
    return f"{direction}_{attachment_id.replace('-', '_')}"


def _marks(table: TransitGatewayRouteTable, present: Sequence[AttachmentSubnet], zones: Zones) -> tuple[int, ...]:
    """0 (no mark), and a mark per zone where the table leads to an appliance."""
    appliances = {item.attachment.id for item in present if item.attachment.appliance_mode}
    leads_there = any(route.attachment_id in appliances for route in table.routes)
    return (0, *(zones.mark(zone) for zone in zones.names)) if leads_there else (0,)


def _table(
    table: TransitGatewayRouteTable, present: Sequence[AttachmentSubnet], zones: Zones, zone: str, mark: int, number: int, nowhere: Sequence[str]
) -> list[Route]:
    """One Linux table: the route table as seen from one zone (and, behind a mark, with the appliance's zone chosen).

    nowhere: the default routes of the families that there are.
    """
    found = []
    for route in table.routes:
        destination, is_ipv6 = destination_text(route.destination), route.destination.version == 6
        if is_ipv6 and ipv6.DEFAULT not in nowhere:
            continue
        origin = f"{table.id} {route.destination} -> {route.attachment_id or 'blackhole'}"
        able = (item for item in present if item.attachment.ipv6_support or not is_ipv6)
        ends = sorted((item for item in able if item.attachment.id == route.attachment_id), key=lambda item: item.subnet.availability_zone)
        if not ends:
            found.append(Route(number, destination, kind="blackhole", origin=origin))
            continue
        wanted = zones.of_mark(mark) if mark and ends[0].attachment.appliance_mode else zone
        chosen = next((item for item in ends if item.subnet.availability_zone == wanted), ends[(mark or 1) % len(ends)])
        hop = ipv6.TRANSIT_GATEWAY_VPC_SIDE if is_ipv6 else addresses.TRANSIT_GATEWAY_VPC_SIDE
        found.append(Route(number, destination, chosen.gateway_device, str(hop), origin=origin))
    routed = {route.destination for route in found}
    return [*found, *(Route(number, destination, kind="blackhole", origin="no route") for destination in nowhere if destination not in routed)]


def _ruleset(index: Index, gateway: TransitGateway, present: Sequence[AttachmentSubnet], zones: Zones) -> Ruleset:
    clamp = NftRule((Match("tcp flags", ("syn",)),), "tcp option maxseg size set rt mtu", comment="MSS clamped to the route's MTU")
    counted, names = [], []
    for attachment in gateway.attachments:
        devices = tuple(item.gateway_device for item in present if item.attachment.id == attachment.id)
        if devices:
            for key, direction in (("iifname", "in"), ("oifname", "out")):
                names.append(counter_name(attachment.id, direction))
                counted.append(NftRule((Match(key, devices),), "continue", comment=attachment.id, counter=names[-1]))
    forward = Chain("forward", (*counted, clamp), hook="forward")
    chains = (Chain("prerouting", _zone_rules(index, gateway.attachments, zones), hook="prerouting", priority=-150), forward) if zones.appliance else (forward,)
    return Ruleset(chains=chains, counters=tuple(sorted(names)))


def _zone_rules(index: Index, attachments: Sequence[TransitGatewayAttachment], zones: Zones) -> tuple[NftRule, ...]:
    """The appliance's zone of a flow: kept from its first packet; else the zone both ends share; else a hash over the appliance's zones."""
    known = NftRule((Match("ct mark", ("0",), negate=True),), "meta mark set ct mark ; accept", comment="zone chosen by the first packet")
    attached = {attachment.vpc_id for attachment in attachments}
    shared = []
    for zone in zones.appliance:
        there = [subnet for vpc in attached for subnet in index.subnets_of.get(vpc, []) if subnet.availability_zone == zone]
        of_ipv4, of_ipv6 = ({str(cidr) for cidr in found if cidr} for found in ([item.cidr for item in there], [item.ipv6_cidr for item in there]))
        for family, ranges in (("ip", of_ipv4), ("ip6", of_ipv6)):
            if ranges:
                matches = (Match(f"{family} saddr", tuple(sorted(ranges))), Match(f"{family} daddr", tuple(sorted(ranges))))
                shared.append(NftRule(matches, f"ct mark set {zones.mark(zone)} ; meta mark set ct mark ; accept", comment=f"both ends in {zone}"))
    chosen = []
    for position, zone in enumerate(zones.appliance):
        verdict = f"ct mark set {zones.mark(zone)} ; meta mark set ct mark ; accept"
        if position < len(zones.appliance) - 1:
            chosen.append(NftRule((Match(f"jhash ip saddr . ip daddr mod {len(zones.appliance)}", (str(position),)),), verdict, comment=f"hash -> {zone}"))
        else:
            chosen.append(NftRule((), verdict, comment=f"hash -> {zone}"))
    return (known, *shared, *chosen)

