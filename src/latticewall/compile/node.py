"""The whole plan of a node, from the whole world. What cannot be realised becomes a Problem on its resource; the rest still compiles."""

from __future__ import annotations

from latticewall.base.ids import namespace
from latticewall.base.memo import Memo
from latticewall.compile import addresses
from latticewall.compile.authorization import compile_authorization
from latticewall.compile.entrances import entrances
from latticewall.compile.firewall_endpoints import compile_firewalls
from latticewall.compile.functions import compile_functions
from latticewall.compile.index import RUNNING, Index
from latticewall.compile.internal_names import internal_domain
from latticewall.compile.load_balancers import compile_load_balancer
from latticewall.compile.names import compile_names, names_problems
from latticewall.compile.proxy import compile_proxy
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.transit_gateway import compile_transit_gateway
from latticewall.compile.vpc import compile_vpc
from latticewall.compile.vpc_endpoints import compile_vpc_endpoint
from latticewall.plan.instances import InstancePlan
from latticewall.plan.node import NodePlan
from latticewall.plan.topology import Link, Namespace
from latticewall.world.types import Instance, Vpc, World


def compile_node(world: World, memo: Memo | None = None) -> NodePlan:
    """World -> plan. memo: of this region's rounds."""
    index = Index(world)
    gates = ServiceNetworkGates(index)
    namespaces: list[Namespace] = []
    links: list[Link] = []
    for vpc in world.vpcs:
        router, instances, found = compile_vpc(index, vpc, gates)
        namespaces += [router, *instances]
        links += found
    for gateway in world.transit_gateways:
        router, found = compile_transit_gateway(index, gateway)
        namespaces.append(router)
        links += found
    entrance_of = {entrance.endpoint_id: entrance for entrance in entrances(index, gates)}
    for endpoint in world.vpc_endpoints:
        if made := compile_vpc_endpoint(index, gates, endpoint, entrance_of.get(endpoint.id)):
            namespaces.append(made[0])
            links += made[1]
    for balancer in world.load_balancers:
        if made := compile_load_balancer(index, balancer):
            namespaces.append(made[0])
            links += made[1]
    firewalls, firewall_namespaces, firewall_links, problems = compile_firewalls(index)
    proxy, proxy_problems = compile_proxy(index, gates)
    return NodePlan(
        revision=world.revision,
        namespaces=tuple(sorted([*namespaces, *firewall_namespaces], key=lambda item: item.name)),
        links=tuple(sorted([*links, *firewall_links])),
        firewalls=firewalls,
        proxy=proxy,
        authorization=compile_authorization(world, memo),
        names=compile_names(world),
        instances=_instances(index),
        problems=tuple(sorted([*problems, *proxy_problems, *names_problems(world)])),
        functions=compile_functions(world),
    )


def _instances(index: Index) -> tuple[InstancePlan, ...]:
    return tuple(_instance(instance, index.vpcs[instance.vpc_id], index.world.region) for instance in index.world.instances if instance.state in RUNNING)


def _instance(instance: Instance, vpc: Vpc, region: str) -> InstancePlan:
    return InstancePlan(
        instance_id=instance.id, namespace=namespace("i", instance.id), hostname=f"ip-{str(instance.private_ip).replace('.', '-')}",
        address=str(instance.private_ip), resolver=str(addresses.base_plus_two(vpc.cidrs[0])) if vpc.dns_support else "",
        search=internal_domain(region), user_data=instance.user_data, boot=instance.boot,
        environment=(
            ("AWS_DEFAULT_REGION", region), ("AWS_ENDPOINT_URL", f"http://{addresses.METADATA}:{addresses.API_PORT}"), ("AWS_REGION", region),
        ),
    )  # fmt: skip
