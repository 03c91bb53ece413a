"""Firewall endpoints on the routed path: a namespace each, the stateless engine and the queue in it ("Firewall endpoints", "Network Firewall")."""

from __future__ import annotations

from dataclasses import replace

from latticewall.base.ids import namespace
from latticewall.compile import addresses
from latticewall.compile.firewall.engine import PolicyInput, compile_engine
from latticewall.compile.index import Index, firewall_device
from latticewall.compile.vpc import ROUTER_SYSCTLS
from latticewall.plan.firewall_endpoint import FirewallEndpoint
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.node import Problem
from latticewall.plan.topology import Address, End, Link, Namespace, Route
from latticewall.world.types import Firewall
from latticewall.world.types import FirewallEndpoint as WorldEndpoint

DEVICE = "gwlb0"
QUEUE = 0
RECEIVED = "received"
"""The named counter of everything that enters an endpoint."""

Found = tuple[tuple[FirewallEndpoint, ...], list[Namespace], list[Link], list[Problem]]


def compile_firewalls(index: Index) -> Found:
    """Engines, namespaces and links of all endpoints. A policy that does not compile leaves its endpoints without engine: nothing passes them."""
    endpoints: list[FirewallEndpoint] = []
    namespaces: list[Namespace] = []
    links: list[Link] = []
    problems: list[Problem] = []
    for firewall in index.world.firewalls:
        engine = compile_engine(_policy_input(index, firewall))
        if isinstance(engine, tuple):
            problems += [Problem("network-firewall:Firewall", firewall.arn, problem.message) for problem in engine]
        for endpoint in firewall.endpoints:
            name = namespace("fw", endpoint.id)
            links.append(_link(name, endpoint))
            if isinstance(engine, tuple):
                namespaces.append(replace(_namespace(name, endpoint), ruleset=Ruleset((Chain("forward", hook="forward", policy="drop"),))))
                continue
            counted = Chain("received", (NftRule((Match("iifname", (DEVICE,)),), "continue", counter=RECEIVED),), hook="prerouting", priority=-400)
            ruleset = Ruleset((counted, *engine.ruleset.chains), tuple(sorted({RECEIVED, *engine.ruleset.counters})))
            namespaces.append(replace(_namespace(name, endpoint), ruleset=ruleset, queue=QUEUE, queue_mark=engine.queue_mark))
            endpoints.append(FirewallEndpoint(endpoint.id, firewall.arn, firewall.name, endpoint.availability_zone, name, QUEUE, engine))
    return tuple(endpoints), namespaces, links, problems


def _namespace(name: str, endpoint: WorldEndpoint) -> Namespace:
    default = Route(254, "default", DEVICE, str(addresses.FIREWALL_VPC_SIDE), origin="out of the endpoint it came in by")
    return Namespace(
        name=name, kind="firewall", owner=endpoint.id, addresses=(Address("lo", f"{addresses.FIREWALL_SIDE}/32"),), routes=(default,), sysctls=ROUTER_SYSCTLS
    )


def _link(name: str, endpoint: WorldEndpoint) -> Link:
    return Link(End(name, DEVICE), End(namespace("vpc", endpoint.vpc_id), firewall_device(endpoint.id)), addresses.TRANSIT_GATEWAY_MTU, endpoint.id)


def _policy_input(index: Index, firewall: Firewall) -> PolicyInput:
    vpc = index.vpcs.get(firewall.vpc_id)
    region, account = index.world.region, firewall.account
    prefix_lists = {
        f"arn:aws:ec2:{region}:{account}:prefix-list/{item.id}": tuple(str(cidr) for cidr in item.cidrs if cidr.version == 4)
        for item in index.world.prefix_lists
    }
    return PolicyInput(
        arn=firewall.policy_arn,
        policy=firewall.policy,
        groups={group.arn: group.document for group in firewall.rule_groups},
        home_net=tuple(str(cidr) for cidr in vpc.cidrs) if vpc else (),
        prefix_lists=prefix_lists,
    )
