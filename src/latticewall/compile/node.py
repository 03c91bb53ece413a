"""The whole plan of a node, from the whole world. What cannot be realised becomes a Problem on its resource; the rest still compiles."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from latticewall.base.ids import namespace
from latticewall.base.memo import Memo
from latticewall.compile import addresses
from latticewall.compile.authorization import compile_authorization
from latticewall.compile.databases import compile_database, compile_servers
from latticewall.compile.entrances import entrances
from latticewall.compile.firewall_endpoints import compile_firewalls
from latticewall.compile.functions import compile_functions
from latticewall.compile.index import RUNNING, Index
from latticewall.compile.load_balancers import compile_load_balancer
from latticewall.compile.names import compile_names, names_problems
from latticewall.compile.proxy import compile_proxy
from latticewall.compile.resource_gateways import compile_resource_gateways
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.transit_gateway import compile_transit_gateway
from latticewall.compile.tunnels import compile_tunnels
from latticewall.compile.units import Units
from latticewall.compile.vpc import compile_vpc
from latticewall.compile.vpc_endpoints import compile_vpc_endpoint
from latticewall.plan.databases import DatabasePlan
from latticewall.plan.firewall_endpoint import FirewallEndpoint
from latticewall.plan.functions import FunctionsPlan
from latticewall.plan.instances import InstancePlan
from latticewall.plan.node import NodePlan, Problem
from latticewall.plan.topology import Link, Namespace
from latticewall.world.types import Instance, Vpc, World

METADATA_NAME = "instance-data"
"""What instances of AWS's may call instance metadata, too."""


def compile_node(world: World, memo: Memo | None = None) -> NodePlan:
    """World -> plan. memo: of this region's rounds; with it, a part of the plan to which nothing has happened is the same object again."""
    memo = memo or Memo()
    units = Units(world, memo)
    routed = [units.follow(unit) for unit in (_routers, _transit_gateways, _vpc_endpoints, _load_balancers, _databases, _resource_gateways)]
    firewalls, firewall_namespaces, firewall_links, problems = units.follow(_firewalls)
    proxy, proxy_problems = compile_proxy(units)
    return NodePlan(
        revision=world.revision,
        namespaces=memo.once(_namespaces, *(item.namespaces for item in routed), firewall_namespaces),
        links=memo.once(_links, *(item.links for item in routed), firewall_links),
        firewalls=firewalls,
        proxy=proxy,
        authorization=compile_authorization(world, memo),
        names=compile_names(units),
        instances=units.follow(_instances),
        problems=tuple(sorted([*problems, *proxy_problems, *units.follow(names_problems)])),
        functions=units.follow(_functions),
        databases=units.follow(_database_servers),
        tunnels=units.follow(compile_tunnels),
    )


@dataclass(frozen=True)
class _Routed:
    """Namespaces, and links between them."""

    namespaces: tuple[Namespace, ...]
    links: tuple[Link, ...]


def _routers(index: Index, gates: ServiceNetworkGates) -> _Routed:
    """VPCs and the instances in them."""
    found = [compile_vpc(index, vpc, gates) for vpc in index.world.vpcs]
    return _Routed(
        tuple(item for router, instances, _ in found for item in (router, *instances)), tuple(link for _, _, links in found for link in links)
    )  # fmt: skip


def _transit_gateways(index: Index, _: ServiceNetworkGates) -> _Routed:
    found = [compile_transit_gateway(index, gateway) for gateway in index.world.transit_gateways]
    return _Routed(tuple(router for router, _ in found), tuple(link for _, links in found for link in links))


def _vpc_endpoints(index: Index, gates: ServiceNetworkGates) -> _Routed:
    entrance_of = {entrance.endpoint_id: entrance for entrance in entrances(index, gates)}
    made = (compile_vpc_endpoint(index, gates, endpoint, entrance_of.get(endpoint.id)) for endpoint in index.world.vpc_endpoints)
    found = [item for item in made if item]
    return _Routed(tuple(space for space, _ in found), tuple(link for _, links in found for link in links))


def _load_balancers(index: Index, _: ServiceNetworkGates) -> _Routed:
    found = [made for balancer in index.world.load_balancers if (made := compile_load_balancer(index, balancer))]
    return _Routed(tuple(space for space, _ in found), tuple(link for _, links in found for link in links))


def _databases(index: Index, _: ServiceNetworkGates) -> _Routed:
    found = [compile_database(item) for items in index.database_interfaces_of.values() for item in items]
    return _Routed(tuple(space for space, _ in found), tuple(link for _, link in found))


def _resource_gateways(index: Index, gates: ServiceNetworkGates) -> _Routed:
    found = compile_resource_gateways(index, gates)
    return _Routed(tuple(space for space, _ in found), tuple(link for _, links in found for link in links))


def _database_servers(index: Index, _: ServiceNetworkGates) -> tuple[DatabasePlan, ...]:
    return compile_servers(index)


def _firewalls(index: Index, _: ServiceNetworkGates) -> tuple[tuple[FirewallEndpoint, ...], tuple[Namespace, ...], tuple[Link, ...], tuple[Problem, ...]]:
    firewalls, namespaces, links, problems = compile_firewalls(index)
    return firewalls, tuple(namespaces), tuple(links), tuple(problems)


def _namespaces(*found: tuple[Namespace, ...]) -> tuple[Namespace, ...]:
    return tuple(sorted((item for items in found for item in items), key=lambda item: item.name))


def _links(*found: tuple[Link, ...]) -> tuple[Link, ...]:
    return tuple(sorted(item for items in found for item in items))


def _functions(index: Index, _: ServiceNetworkGates) -> FunctionsPlan:
    return compile_functions(index.world)


def _instances(index: Index, _: ServiceNetworkGates) -> tuple[InstancePlan, ...]:
    return tuple(_instance(index, instance, index.vpcs[instance.vpc_id]) for instance in index.world.instances if instance.state in RUNNING)


def _instance(index: Index, instance: Instance, vpc: Vpc) -> InstancePlan:
    hostname, _, domain = instance.private_dns_name.partition(".")
    family = 4 if instance.private_ip else 6
    resolver = next((str(address) for address in addresses.resolvers(vpc) if address.version == family), "")
    address = instance.private_ip or _primary_ipv6(index, instance)
    return InstancePlan(
        instance_id=instance.id, namespace=namespace("i", instance.id), hostname=hostname, address=str(address or ""), resolver=resolver,
        search=domain, user_data=instance.user_data, boot=instance.boot, environment=_environment(index.world.region, family),
        hosts=((METADATA_NAME, str(addresses.METADATA_IPV6)),) if family == 6 else (),
    )  # fmt: skip


def _primary_ipv6(index: Index, instance: Instance) -> IPv6Address | None:
    """Of an instance with IPv6 only; None while it has no interface."""
    attached = (item.interface for item in index.attached_of.get(instance.vpc_id, []) if item.instance.id == instance.id)
    return next((address for interface in attached if interface.device_index == 0 for address in interface.ipv6_addresses), None)


def _environment(region: str, family: int) -> tuple[tuple[str, str], ...]:
    """What lets AWS's tools find the region; where there is only IPv6, instance metadata too. Command lines (version 2) before autumn 2024 take no IPv6
    address for an endpoint, hence the name; but clients of S3 would put their bucket's name before it."""
    found = {"AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": f"http://{addresses.METADATA}:{addresses.API_PORT}", "AWS_REGION": region}
    if family == 6:
        found |= {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6", "AWS_ENDPOINT_URL": f"http://{METADATA_NAME}:{addresses.API_PORT}",
            "AWS_ENDPOINT_URL_S3": f"http://[{addresses.METADATA_IPV6}]:{addresses.API_PORT}",
        }  # fmt: skip
    return tuple(sorted(found.items()))
