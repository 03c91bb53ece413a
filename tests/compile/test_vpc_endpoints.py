"""An endpoint is on its VPC's routed paths: what leads a subnet's traffic elsewhere leads that to its endpoints there too."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from latticewall.base.ids import table_number
from latticewall.compile.index import Index, firewall_device
from latticewall.compile.node import compile_node
from latticewall.compile.route_tables import compile_routes
from latticewall.plan.topology import Route as LinuxRoute
from latticewall.world.types import (
    EndpointZone,
    Firewall,
    FirewallEndpoint,
    NetworkInterface,
    Route,
    RouteTable,
    ServiceNetwork,
    Subnet,
    Vpc,
    VpcEndpoint,
    World,
)

CIDR, DOORS = IPv4Network("10.0.0.0/16"), IPv4Network("10.0.9.0/24")
SERVICE = IPv4Address("10.0.9.16")


def world(target: str) -> World:
    """Clients in one subnet, whose route to the endpoint's subnet leads to `target`."""
    wall = FirewallEndpoint("vpce-wall", "subnet-wall", "vpc-a", "us-west-2a")
    return World(
        region="us-west-2", revision=1, now="2026-01-02T03:04:05Z",
        vpcs=(Vpc("vpc-a", "arn:vpc-a", "111122223333", (CIDR,), dns_support=True, dns_hostnames=True),),
        subnets=(
            Subnet("subnet-clients", "vpc-a", IPv4Network("10.0.1.0/24"), "us-west-2a", "rtb-1", ""),
            Subnet("subnet-doors", "vpc-a", DOORS, "us-west-2a", "", ""), Subnet("subnet-wall", "vpc-a", IPv4Network("10.0.2.0/24"), "us-west-2a", "", ""),
        ),
        route_tables=(RouteTable("rtb-1", "vpc-a", (Route(CIDR, "local"), *((Route(DOORS, target),) if target else ()))),),
        firewalls=(Firewall("arn:wall", "wall", "111122223333", "vpc-a", (wall,), "arn:p", {}, (), ()),),
        network_interfaces=(NetworkInterface("eni-1", "vpc-a", "subnet-doors", (IPv4Address("10.0.9.4"),), "02:00:00:00:00:01", ()),),
        service_networks=(ServiceNetwork("sn-1", "arn:sn-1", "111122223333", "NONE", ""),),
        vpc_endpoints=(VpcEndpoint("vpce-1", "111122223333", "vpc-a", "sn-1", "", (EndpointZone("subnet-doors", "eni-1", (SERVICE,)),)),),
    )  # fmt: skip


def leading(target: str) -> list[LinuxRoute]:
    """The routes by which packets of the clients' subnet may go to the endpoint."""
    found = world(target)
    routes = compile_routes(Index(found), found.vpcs[0])
    here = [route for route in routes if route.table == table_number("subnet-clients") and route.destination != "default" and route.kind == "unicast"]
    return [route for route in here if SERVICE in IPv4Network(route.destination)]


@pytest.mark.parametrize("target", ["", "local"])
def test_the_direct_way(target: str) -> None:
    (route,) = leading(target)
    assert (route.destination, route.via) == (f"{SERVICE}/32", "")


def test_the_way_through_a_firewall() -> None:
    (route,) = leading("vpce-wall")
    assert (route.destination, route.device) == (str(DOORS), firewall_device("vpce-wall"))


def test_without_what_it_leads_to_there_is_no_way_in() -> None:
    """An endpoint of a network without services is there, and closed."""
    space = next(item for item in compile_node(world("")).namespaces if item.kind == "vpc-endpoint")
    assert space.ruleset is not None
    (incoming,) = [chain for chain in space.ruleset.chains if chain.name == "input"]
    assert (incoming.policy, [rule.comment for rule in incoming.rules if rule.verdict == "accept"]) == ("drop", ["replies", ""])


PREFIX = IPv6Network("2001:db8:0:9:1::/80")
SIX = PREFIX[1]


def dual(*services: IPv4Address | IPv6Address) -> World:
    """The endpoint with these addresses of services, in subnets with IPv6."""
    found = world("")
    (vpc,), (endpoint,) = found.vpcs, found.vpc_endpoints
    blocks = dict(zip(("subnet-clients", "subnet-doors", "subnet-wall"), IPv6Network("2001:db8:0:8::/62").subnets(new_prefix=64), strict=False))
    zone = EndpointZone("subnet-doors", "eni-1", services)
    return replace(
        found, vpcs=(replace(vpc, ipv6_cidrs=(IPv6Network("2001:db8::/56"),)),), vpc_endpoints=(replace(endpoint, zones=(zone,)),),
        subnets=tuple(replace(subnet, ipv6_cidr=blocks[subnet.id]) for subnet in found.subnets),
    )  # fmt: skip


@pytest.mark.parametrize("services", [(SERVICE, SIX), (SIX,)], ids=["dualstack", "ipv6"])
def test_both_families_are_routed_filtered_and_answered(services: tuple[IPv4Address | IPv6Address, ...]) -> None:
    plan = compile_node(dual(*services))
    space = next(item for item in plan.namespaces if item.kind == "vpc-endpoint")
    router = next(item for item in plan.namespaces if item.kind == "vpc")
    assert {address.cidr for address in space.addresses} == {f"{address}/{address.max_prefixlen}" for address in services}
    assert {(route.destination, route.via) for route in space.routes} >= {("::/0", "2001:db8:0:9::1")}
    assert ("default" in {route.destination for route in space.routes}) is (SERVICE in services)
    assert ("ipv6/conf/all/disable_ipv6", "0") in space.sysctls
    assert space.ruleset is not None
    for chain in space.ruleset.chains:
        assert "neighbour discovery" in [rule.comment for rule in chain.rules]
    device = next(route.device for route in router.routes if route.destination == f"{SIX}/128")
    assert ("2001:db8:0:9::1/128", device) in {(address.cidr, address.device) for address in router.addresses}
    assert router.ruleset is not None
    sent = [rule for chain in router.ruleset.chains if chain.name == "prerouting" for rule in chain.rules]
    everything = [match for rule in sent for match in rule.matches if match.key == "meta nfproto"]
    assert bool(everything) is (SERVICE not in services)  # nothing of IPv4 comes from an interface without an IPv4 address
    assert all(match.values for rule in sent for match in rule.matches)
