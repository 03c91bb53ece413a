"""Connections that carry no request: to a TLS listener (the caller is anonymous) and to a TCP resource (the caller is the instance's role).

Pages followed: "TLS listeners for VPC Lattice services". Auth policies on resource configurations are latticewall's own (docs/features/auth-policies.md).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from latticewall.analyze.callers import ANONYMOUS, Caller
from latticewall.analyze.decision import GATE_OF, Circumstances, Decided, audited, decide, decide_resource, passing
from latticewall.analyze.gate import Gate, Outcome, Unclear
from latticewall.analyze.path import Region, Source
from latticewall.analyze.question import Asked
from latticewall.analyze.targets import Health, resource_filters, target_gates
from latticewall.analyze.way import no_service, way
from latticewall.compile.authorization import audits_connections
from latticewall.plan.proxy import TcpListener
from latticewall.plan.tls_passthrough import TlsService
from latticewall.policy.lattice import Layer, Route
from latticewall.world.types import ResourceConfiguration, Vpc

Answer = tuple[list[Gate], Decided | None]
"""The gates, and the policies' decision if it came to one."""


def tls_gates(region: Region, source: Source, asked: Asked, health: Health, now: datetime) -> Answer:
    """A connection to a TLS_PASSTHROUGH listener. Raises Unclear."""
    found = way(region, source, asked)
    if found.address is None:
        return list(found.gates), None
    if found.network is None:
        return [*found.gates, no_service(found.address)], None
    listeners = [item for item in region.plan.proxy.tls_listeners if (item.vpc_endpoint_id or item.vpc_id, item.port) == (found.key, asked.port)]
    services = [item for listener in listeners for item in listener.services]
    service = next((item for item in services if item.server_name == asked.host), None)
    if service is None:
        names = ", ".join(item.server_name for item in services) or "none"
        detail = f"no TLS listener on port {asked.port} is for the server name {asked.host}; there is {names}: the connection is closed"
        change = ("connect with the service's custom domain name and a port it listens on",)
        return [*found.gates, Gate("listener", Outcome.FAIL, detail, change=change)], None
    listener = Gate("listener", Outcome.PASS, f"service {service.service_id} listens on port {asked.port}", service.listener_id)
    signature = Gate("signature", Outcome.SKIP, "a TLS listener sees no request: the caller is anonymous")
    vpc = found.vpc or source.vpc
    decided = decide_tls_connection(region, asked, service.service_network_arn, service.service_arn, vpc, source.address, now)
    return [*found.gates, listener, signature, *decided.gates, *_tls_targets(region, service, health)], decided


def decide_tls_connection(region: Region, asked: Asked, network_arn: str, service_arn: str, vpc: Vpc, address: str, now: datetime) -> Decided:
    """As they take effect. vpc: whose connection it is; address: where it comes from. Raises Unclear."""
    network = region.network(network_arn)
    owner = next((item for item in region.index.world.services if item.arn == service_arn), None)
    if network is None or owner is None:
        raise Unclear("the service or its service network is gone")
    decided = decide(region.index.world, Circumstances(asked, network, owner, now, vpc.id, vpc.account, address), ANONYMOUS)
    return replace(decided, gates=audited(decided.gates, network, owner))


def _tls_targets(region: Region, service: TlsService, health: Health) -> list[Gate]:
    arns = {group.id: group.arn for group in region.index.world.target_groups}
    return target_gates(region, service.clusters, arns, service.listener_id, "the connection is closed", health)


def tcp_gates(region: Region, source: Source, asked: Asked, caller: Caller, now: datetime) -> Answer:
    """A connection to a TCP resource. Raises Unclear."""
    found = way(region, source, asked)
    if found.address is None:
        return list(found.gates), None
    place = (found.key, str(found.address))
    listener = next((item for item in region.plan.proxy.tcp_listeners if (item.vpc_endpoint_id or item.vpc_id, item.address) == place), None)
    if listener is None:
        detail = f"{found.address} is the address of services (ask with http:// or https://), not of a TCP resource"
        return [*found.gates, Gate("listener", Outcome.UNKNOWN, detail, found.key)], None
    configuration = next((item for item in region.index.world.resource_configurations if item.arn == listener.resource_configuration_arn), None)
    if configuration is None:
        raise Unclear("the resource configuration is gone")
    door = listener.association_id or listener.vpc_endpoint_id
    if not any(first <= asked.port <= last for first, last in listener.ports):
        ports = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in listener.ports)
        detail = f"resource configuration {configuration.id} has no port {asked.port}, it has {ports}: the connection is not answered"
        return [*found.gates, Gate("listener", Outcome.FAIL, detail, door, change=("connect to a port it has",))], None
    gates = [*found.gates, Gate("listener", Outcome.PASS, f"resource configuration {configuration.id} has port {asked.port}", door)]
    vpc = found.vpc or source.vpc
    if configuration.has_policy and vpc.id != source.vpc.id:
        reason = f"resource configuration {configuration.id} has an auth policy, which knows instances of the endpoint's own VPC {vpc.id} only"
        outcome = Outcome.AUDIT if audits_connections(found.network, configuration) else Outcome.FAIL
        return [*gates, Gate(GATE_OF[Layer.RESOURCE], outcome, reason, configuration.id)], None
    arn = found.network.arn if found.network else ""
    decided = decide_resource_connection(region, configuration, arn, asked.port, caller, replace(source, vpc=vpc), now)
    gates += decided.gates if decided else undecided(configuration)
    return [*gates, _tcp_target(listener, asked.port), *resource_filters(region, listener, asked.port)], decided


def _tcp_target(listener: TcpListener, port: int) -> Gate:
    if not listener.targets:
        reason = "the name of the resource has no address: the connection is closed"
        return Gate("target", Outcome.FAIL, reason, listener.gateway_id, change=("make a record with an address for it",))
    targets = " or ".join(f"{target}:{port}" for target in listener.targets)
    detail = f"{targets}, from an address of resource gateway {listener.gateway_id}; whether it listens is not known here"
    return Gate("target", Outcome.PASS, detail, listener.gateway_id)


def decide_resource_connection(
    region: Region, configuration: ResourceConfiguration, network_arn: str, port: int, caller: Caller, source: Source, now: datetime
) -> Decided | None:
    """network_arn: "" of an endpoint for the resource alone. None when nobody decides."""
    route = Route(service_network_arn=network_arn, port=port, source_vpc=source.vpc.id, source_vpc_owner=source.vpc.account)
    decided = decide_resource(region.index.world, configuration, caller, route, source.address, now)
    if decided and audits_connections(region.network(network_arn), configuration):
        return replace(decided, gates=passing(decided.gates))
    return decided


def undecided(configuration: ResourceConfiguration) -> list[Gate]:
    """The gates of a resource without an auth policy."""
    reason = f"resource configuration {configuration.id} has no auth policy, so nobody is asked"
    return [Gate(GATE_OF[layer], Outcome.SKIP, reason) for layer in (Layer.RESOURCE, Layer.IDENTITY)]
