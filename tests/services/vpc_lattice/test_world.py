"""What the API stored is what the data plane is built from."""

from __future__ import annotations

from ipaddress import IPv4Address

from latticewall.compile.node import compile_node
from latticewall.plan.proxy import HeaderMatch, RouteMatch
from latticewall.world.from_rows import build_world
from latticewall.world.types import World

from .region import NAME, Region, forward


def world_of(region: Region) -> World:
    with region.store.read() as snapshot:
        return build_world(snapshot.rows(), NAME, snapshot.revision, "2026-01-02T03:04:00.000Z")


def test_everything_reaches_the_world_and_compiles(region: Region) -> None:
    vpc = region.vpc()
    subnet, group = region.subnet(vpc), region.group(vpc)
    instance = region.instance(subnet)
    network, service = region.network(authType="AWS_IAM"), region.service(customDomainName="orders.example.net", idleTimeoutSeconds=90)
    targets = region.target_group(vpc)
    region.lattice.register_targets(targetGroupIdentifier=targets, targets=[{"id": instance["InstanceId"]}])
    listener = region.listener(service, port=8080, **forward(targets))
    region.lattice.create_rule(
        serviceIdentifier=service, listenerIdentifier=listener, name="closed", priority=5,
        match={"httpMatch": {"pathMatch": {"match": {"prefix": "/admin"}}}}, action={"fixedResponse": {"statusCode": 404}},
    )  # fmt: skip
    region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    region.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc, securityGroupIds=[group])
    gateway = region.gateway(vpc, subnet)
    configuration = region.configuration(gateway)
    region.lattice.create_service_network_resource_association(serviceNetworkIdentifier=network, resourceConfigurationIdentifier=configuration)
    world = world_of(region)
    (found,) = world.services
    assert [(rule.is_default, rule.priority) for rule in found.listeners[0].rules] == [(False, 5), (True, 0)]
    assert (found.custom_domain_name, found.idle_timeout) == ("orders.example.net", 90)
    assert [target.address for target in world.target_groups[0].targets] == [IPv4Address(instance["PrivateIpAddress"])]
    assert world.vpc_associations[0].security_group_ids == (group,)
    assert world.resource_associations[0].address == IPv4Address("129.224.0.10")
    assert world.resource_gateways[0].addresses[0] in world.subnets[0].cidr
    plan = compile_node(world)
    assert plan.problems == ()
    (http,) = plan.proxy.http_listeners
    assert (http.port, [host.service_id for host in plan.proxy.hosts_of(http)]) == (8080, [service])
    (tcp,) = plan.proxy.tcp_listeners
    assert (tcp.targets, tcp.ports) == (("10.0.1.7",), ((6379, 6379),))


def test_what_is_being_deleted_leaves_the_world_at_once(region: Region) -> None:
    network, service = region.network(), region.service()
    region.listener(service)
    created = region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    region.settle()
    assert len(world_of(region).service_associations) == 1
    region.lattice.delete_service_network_service_association(serviceNetworkServiceAssociationIdentifier=created["id"])
    assert world_of(region).service_associations == ()
    region.settle()
    region.lattice.delete_service(serviceIdentifier=service)
    assert world_of(region).services == ()


def test_what_a_rule_leaves_out_is_decided_the_documented_way_and_not_written_down(region: Region) -> None:
    """Paths are compared with their case unless a rule says otherwise, headers without; target groups count by id and by ARN."""
    vpc = region.vpc()
    network, service, group = region.network(), region.service(), region.target_group(vpc)
    listener = region.listener(service, **forward(region.lattice.get_target_group(targetGroupIdentifier=group)["arn"]))
    matches = [
        {"pathMatch": {"match": {"exact": "/A"}}, "headerMatches": [{"name": "X-Tier", "match": {"exact": "Gold"}}]},
        {"pathMatch": {"match": {"prefix": "/A"}, "caseSensitive": False}, "headerMatches": [{"name": "b", "match": {"prefix": "B"}, "caseSensitive": True}]},
    ]
    for priority, match in ((2000, matches[0]), (1, matches[1])):
        made = region.lattice.create_rule(
            serviceIdentifier=service, listenerIdentifier=listener, name=f"rule{priority}", priority=priority, match={"httpMatch": match},
            action={"fixedResponse": {"statusCode": 500}},
        )  # fmt: skip
        assert made["match"]["httpMatch"] == match
    region.lattice.create_service_network_service_association(serviceNetworkIdentifier=network, serviceIdentifier=service)
    region.lattice.create_service_network_vpc_association(serviceNetworkIdentifier=network, vpcIdentifier=vpc)
    (http,) = compile_node(world_of(region)).proxy.http_services
    first, second, default = http.hosts[0].routes
    assert (first.match, second.match) == (
        RouteMatch("/A", "prefix", case_sensitive=False, headers=(HeaderMatch("b", "B", "prefix", case_sensitive=True),)),
        RouteMatch("/A", "exact", case_sensitive=True, headers=(HeaderMatch("x-tier", "Gold", "exact", case_sensitive=False),)),
    )
    assert (first.fixed_status, default.clusters) == (500, ((group, 100),))
