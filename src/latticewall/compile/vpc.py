"""A VPC as a router namespace: addresses, links, routes, and the order in which a packet meets its filters."""

from __future__ import annotations

from ipaddress import IPv4Address

from latticewall.base.ids import namespace
from latticewall.compile import addresses, ipv6
from latticewall.compile.index import Attached, Connected, Index, firewall_device
from latticewall.compile.network_acls import compile_acls
from latticewall.compile.route_tables import compile_routes, compile_rules
from latticewall.compile.security_groups import compile_gates, gate_name
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.topology import Address, End, Link, Namespace, PolicyRule, Route
from latticewall.world.types import Vpc

ROUTER_SYSCTLS = (
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
)
_INTERFACE_TABLE = 10000
"""Plus the device index: an instance's routing table for what leaves by a second interface, and the priority of the rule that leads there."""
ESTABLISHED = NftRule((Match("ct state", ("established", "related")),), "accept", comment="replies")


def compile_vpc(index: Index, vpc: Vpc, gates: ServiceNetworkGates) -> tuple[Namespace, list[Namespace], list[Link]]:
    """The router of a VPC, its instances' namespaces, and the links between them."""
    attached = index.attached_of.get(vpc.id, [])
    name = namespace("vpc", vpc.id)
    sysctls = ipv6.dual_stack(ROUTER_SYSCTLS, routes=True) if vpc.ipv6_cidrs else ROUTER_SYSCTLS
    router = Namespace(
        name=name, kind="vpc", owner=vpc.id, addresses=_addresses(index, vpc, gates), routes=compile_routes(index, vpc),
        rules=compile_rules(index, vpc), sysctls=sysctls, ruleset=_ruleset(index, vpc, attached, gates),
    )  # fmt: skip
    links = [
        Link(End(name, item.router_device), End(item.instance_namespace, item.instance_device, item.interface.mac), addresses.VPC_MTU, item.interface.id)
        for item in attached
    ]
    by_instance: dict[str, list[Attached]] = {}
    for item in attached:
        by_instance.setdefault(item.instance.id, []).append(item)
    return router, [_instance_namespace(items) for items in by_instance.values()], links


def _instance_namespace(items: list[Attached]) -> Namespace:
    """An instance's own network: its addresses and a default route to its subnet's router, over the primary interface.

    What has the address of another interface leaves by that one, as Amazon Linux sets it up ("amazon-ec2-net-utils"): the VPC takes it from no other.
    """
    items = sorted(items, key=lambda item: item.interface.device_index)
    primary = items[0]
    found = [Address(item.instance_device, f"{address}/32") for item in items for address in item.interface.addresses]
    found += [Address(item.instance_device, f"{address}/128") for item in items for address in item.interface.ipv6_addresses]
    routes = _implicit_routes(primary, 254)
    rules = []
    for item in items[1:]:
        number = _INTERFACE_TABLE + item.interface.device_index
        routes += _implicit_routes(item, number)
        rules += [PolicyRule(number, number, source=str(address)) for address in item.interface.addresses]
        rules += [PolicyRule(number, number, source=str(address), family=6) for address in item.interface.ipv6_addresses]
    forwards = not primary.interface.source_dest_check
    sysctls = ROUTER_SYSCTLS if forwards else tuple(pair for pair in ROUTER_SYSCTLS if pair[0] != "ipv4/ip_forward")
    if any(item.interface.ipv6_addresses for item in items):
        sysctls = ipv6.dual_stack(sysctls, routes=forwards)
    return Namespace(
        name=primary.instance_namespace, kind="instance", owner=primary.instance.id, addresses=tuple(sorted(found)), routes=tuple(routes),
        rules=tuple(sorted(rules)), sysctls=sysctls,
    )  # fmt: skip


def _implicit_routes(item: Attached, table: int) -> list[Route]:
    found = []
    if item.subnet.cidr is not None and item.interface.addresses:
        found.append(Route(table, "default", item.instance_device, str(addresses.router(item.subnet.cidr)), origin="implicit router"))
    if item.subnet.ipv6_cidr is not None and item.interface.ipv6_addresses:
        found.append(Route(table, ipv6.DEFAULT, item.instance_device, str(ipv6.router(item.subnet.ipv6_cidr)), origin="implicit router"))
    return found


def _addresses(index: Index, vpc: Vpc, gates: ServiceNetworkGates) -> tuple[Address, ...]:
    local = {addresses.router(subnet.cidr) for subnet in index.subnets_of.get(vpc.id, []) if subnet.cidr is not None}
    local |= {addresses.METADATA, *(address for address in addresses.resolvers(vpc) if isinstance(address, IPv4Address))}
    if index.attachment_subnets_of.get(vpc.id):
        local.add(addresses.TRANSIT_GATEWAY_VPC_SIDE)
    if index.firewall_endpoints_of.get(vpc.id):
        local.add(addresses.FIREWALL_VPC_SIDE)
    local |= gates.local_addresses(vpc.id)
    found = [Address("lo", f"{address}/32") for address in local]
    if vpc.ipv6_cidrs:
        found += ipv6.router_addresses(index.connected(vpc.id))
        to_gateways = [item for item in index.attachment_subnets_of.get(vpc.id, []) if item.attachment.ipv6_support]
        local_ipv6 = {addresses.METADATA_IPV6, *(address for address in addresses.resolvers(vpc) if address.version == 6)}
        found += [Address("lo", f"{address}/128") for address in (*local_ipv6, *gates.local_ipv6_addresses(vpc.id))]
        found += [Address(item.vpc_device, f"{ipv6.TRANSIT_GATEWAY_VPC_SIDE}/128") for item in to_gateways]
    return tuple(sorted(found))


def _ruleset(index: Index, vpc: Vpc, attached: list[Attached], gates: ServiceNetworkGates) -> Ruleset:
    acls = compile_acls(index, vpc)
    connected = index.connected(vpc.id)
    checked = [item for item in connected if item.interface.source_dest_check]
    dual = checked if vpc.ipv6_cidrs else []
    senders = (*(_sends_as_itself(item) for item in checked), *(ipv6.sends_as_itself(item) for item in dual), *ipv6.finds_neighbours_only(connected))
    prerouting = Chain("prerouting", senders, hook="prerouting", priority=-300)
    leave = [NftRule((Match("iifname", (item.router_device,)),), f"jump {gate_name('eg', item.interface.id)}") for item in connected]
    arrive = [NftRule((Match("oifname", (item.router_device,)),), f"jump {gate_name('in', item.interface.id)}") for item in connected]
    devices = tuple(sorted(item.router_device for item in connected))
    routed = [item.vpc_device for item in index.attachment_subnets_of.get(vpc.id, [])]
    routed += [firewall_device(endpoint.id) for endpoint in index.firewall_endpoints_of.get(vpc.id, [])]
    known = tuple(sorted({*devices, *routed}))
    passed = [NftRule((Match("iifname", known), Match("oifname", known)), "accept", comment="both gates passed")] if known else []
    misdirected = [*(_receives_as_itself(item) for item in checked), *(ipv6.receives_as_itself(item) for item in dual)]
    forward = Chain("forward", (*misdirected, *acls.forward, ESTABLISHED, *leave, *arrive, *passed), hook="forward", policy="drop")
    own = _own_services(vpc, tuple(sorted(item.router_device for item in attached)))
    neighbours = ipv6.neighbours(known) if vpc.ipv6_cidrs else []
    incoming = Chain("input", (*acls.incoming, *own, *neighbours, *gates.input_rules(vpc.id)), hook="input", policy="drop")
    outgoing = Chain("output", (*acls.outgoing, ESTABLISHED, *_only_through_gates(arrive)), hook="output")
    return Ruleset(
        chains=(
            prerouting, *gates.capture_chain(vpc.id), forward, incoming, outgoing, *acls.chains, *compile_gates(index, connected), *gates.chains(vpc.id),
        )
    )


def _sends_as_itself(item: Connected) -> NftRule:
    """Half of the source/destination check, before anything looks at the packet: identity by source address depends on it."""
    return NftRule((Match("iifname", (item.router_device,)), _others("ip saddr", item)), "drop", comment=f"{item.interface.id} source/destination check")


def _receives_as_itself(item: Connected) -> NftRule:
    return NftRule((Match("oifname", (item.router_device,)), _others("ip daddr", item)), "drop", comment=f"{item.interface.id} source/destination check")


def _others(key: str, item: Connected) -> Match:
    """All IPv4 addresses but the interface's own."""
    found = tuple(str(address) for address in item.interface.addresses)
    return Match(key, found, negate=True) if found else Match("meta nfproto", ("ipv4",))


def _own_services(vpc: Vpc, devices: tuple[str, ...]) -> list[NftRule]:
    """The resolver, instance metadata and the region's endpoint, which no security group or network ACL can close."""
    found = [ESTABLISHED, NftRule((Match("iifname", ("lo",)),), "accept")]
    if not devices:
        return found
    here = Match("iifname", devices)
    for there in ipv6.addressed("daddr", addresses.resolvers(vpc)):
        found += [NftRule((here, there, Match(key, ("53",))), "accept", comment="resolver") for key in ("udp dport", "tcp dport")]
    local = (addresses.METADATA, addresses.METADATA_IPV6) if vpc.ipv6_cidrs else (addresses.METADATA,)
    for there in ipv6.addressed("daddr", local):
        for port, comment in (("80", "instance metadata"), (str(addresses.API_PORT), "the region's endpoint")):
            found.append(NftRule((here, there, Match("tcp dport", (port,))), "accept", comment=comment))
    return found


def _only_through_gates(arrive: list[NftRule]) -> list[NftRule]:
    """What the router itself opens towards an interface meets that interface's ingress gate too."""
    return [NftRule((*rule.matches, Match("ct state", ("new",))), rule.verdict) for rule in arrive]
