"""Resource gateways: a namespace each, with an interface per subnet on the VPC's routed paths ("Resource gateways in VPC Lattice").

Like an instance a gateway is behind its interfaces' security groups, its subnets' network ACLs and whatever their route tables say. Connections to resources
are opened inside, by Envoy's sockets, or handed on out of tunnels. Nobody can connect to a gateway.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from latticewall.base.ids import namespace
from latticewall.compile import addresses, ipv6, tunnels
from latticewall.compile.index import GatewayInterface, Index
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.tunnels import TunnelEnd
from latticewall.compile.vpc import ESTABLISHED, ROUTER_SYSCTLS
from latticewall.compile.vpc_endpoints import ways_out
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.topology import Address, End, Link, Namespace


def compile_resource_gateways(index: Index, gates: ServiceNetworkGates) -> list[tuple[Namespace, list[Link]]]:
    """The namespaces of all gateways, each with its links to its VPC's router and to tunnel endpoints."""
    found: dict[str, list[GatewayInterface]] = defaultdict(list)
    for items in index.gateway_interfaces_of.values():
        for item in items:
            found[item.gateway.id].append(item)
    ends: dict[str, list[TunnelEnd]] = defaultdict(list)
    for end in tunnels.tunnel_ends(index, gates):
        ends[end.interface.gateway.id].append(end)
    return [_gateway(items, ends.get(identifier, [])) for identifier, items in found.items()]


def _gateway(interfaces: Sequence[GatewayInterface], ends: Sequence[TunnelEnd]) -> tuple[Namespace, list[Link]]:
    gateway = interfaces[0].gateway
    name, router = namespace("rgw", gateway.id), namespace("vpc", gateway.vpc_id)
    links = [Link(End(router, item.router_device), End(name, item.gateway_device), addresses.VPC_MTU, item.interface.id) for item in interfaces]
    routes, rules = ways_out((item, item.gateway_device) for item in interfaces)
    own = [Address(item.gateway_device, f"{address}/32") for item in interfaces for address in item.interface.addresses]
    own += [Address(item.gateway_device, f"{address}/128") for item in interfaces for address in item.interface.ipv6_addresses]
    dual = tuple(sorted(item.gateway_device for item in interfaces if item.interface.ipv6_addresses))
    sysctls = tuple(sorted({**dict(ROUTER_SYSCTLS), **dict(tunnels.SYSCTLS if ends else (("ipv4/ip_forward", "0"),))}.items()))
    space = Namespace(
        name=name, kind="resource-gateway", owner=gateway.id, routes=tuple(sorted([*routes, *tunnels.routes(ends)])),
        rules=tuple(sorted([*rules, *tunnels.rules(ends)])), addresses=tuple(sorted([*own, *tunnels.local_addresses(ends)])),
        sysctls=ipv6.dual_stack(sysctls, routes=bool(ends)) if dual else sysctls, ruleset=_ruleset(interfaces, ends, dual),
    )  # fmt: skip
    return space, [*links, *tunnels.links(ends)]


def _ruleset(interfaces: Sequence[GatewayInterface], ends: Sequence[TunnelEnd], dual: tuple[str, ...]) -> Ruleset:
    """In: answers. What may go out is decided on the way, by security groups and network ACLs. dual: devices with IPv6."""
    own = NftRule((Match("iifname", ("lo",)),), "accept")
    incoming = Chain("input", (ESTABLISHED, own, *ipv6.neighbours(dual), *tunnels.input_rules(ends)), hook="input", policy="drop")
    return Ruleset(chains=(incoming, *(tunnels.chains(ends, interfaces, ESTABLISHED) if ends else ())))
