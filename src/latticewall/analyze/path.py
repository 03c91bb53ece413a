"""The way from an instance to a service's listener: association, name, filters, listener. Read from the plan that the data plane follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_address

from latticewall.analyze.callers import Naming, nameless
from latticewall.analyze.gate import Gate, Outcome, Unclear
from latticewall.analyze.names import look_up
from latticewall.analyze.network_acls import Border, acl_gate
from latticewall.analyze.packets import Address, Packet, walk
from latticewall.analyze.question import Asked
from latticewall.base.ids import namespace
from latticewall.compile import addresses
from latticewall.compile.index import Attached, Index
from latticewall.compile.security_groups import gate_name
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.plan.nft import Ruleset
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import HttpListener, VirtualHost
from latticewall.world.types import Instance, NetworkInterface, ServiceNetwork, Vpc, VpcAssociation

LATTICE_RANGE = "169.254.171.0/24 (the prefix list com.amazonaws.<region>.vpc-lattice)"

FILTERS = ("security-group-egress", "network-acl", "security-group-ingress")
"""What a packet meets on its way to a listener."""


@dataclass(frozen=True)
class Source:
    """Where a request comes from. attached: the primary interface of a running instance, None when only the VPC is known. seen: the address that a request
    came from, or would come from by the way it takes; "" while that is not known: it is taken to be the interface's first IPv4 address, else its first of
    IPv6."""

    vpc: Vpc
    instance: Instance | None = None
    attached: Attached | None = None
    seen: str = ""

    @property
    def address(self) -> str:
        if self.seen or self.attached is None:
            return self.seen
        return str(next(iter((*self.attached.interface.addresses, *self.attached.interface.ipv6_addresses))))


@dataclass(frozen=True)
class Place:
    """Where a request comes in: a service as seen through one listener."""

    listener: HttpListener
    host: VirtualHost


@dataclass(frozen=True)
class Region:
    """One region as it is analysed: the world by id, the plan compiled from it, and what policies are called."""

    index: Index
    plan: NodePlan
    naming: Naming = nameless

    @cached_property
    def gates(self) -> ServiceNetworkGates:
        return ServiceNetworkGates(self.index)

    def network(self, arn: str) -> ServiceNetwork | None:
        return next((item for item in self.index.world.service_networks if item.arn == arn), None)

    def ruleset(self, vpc_id: str) -> Ruleset:
        name = namespace("vpc", vpc_id)
        found = next((item.ruleset for item in self.plan.namespaces if item.name == name), None)
        return found or Ruleset()


def find_source(region: Region, wanted: str) -> Source:
    """An instance by id or Name tag, or a VPC by id. Raises Unclear."""
    if wanted in region.index.vpcs:
        return Source(region.index.vpcs[wanted])
    instances = region.index.world.instances
    found = [item for item in instances if item.id == wanted] or [item for item in instances if item.tags.get("Name") == wanted]
    attached = [item for item in _primary(region) if item.instance in found]
    if len(attached) > 1:
        raise Unclear(f"{len(attached)} running instances are named {wanted}: give the id, one of {', '.join(item.instance.id for item in attached)}")
    if not attached:
        raise Unclear(f"instance {found[0].id} is not running" if found else f"there is no instance or VPC {wanted}")
    return _source(region, attached[0])


def source_of(region: Region, vpc_id: str, address: str) -> Source | None:
    """The instance that has an address in a VPC, else the VPC alone; None when the VPC is gone."""
    if vpc_id not in region.index.vpcs:
        return None
    for item in region.index.attached_of.get(vpc_id, []):
        if address in map(str, (*item.interface.addresses, *item.interface.ipv6_addresses)):
            return replace(_source(region, item), seen=address)
    return Source(region.index.vpcs[vpc_id], seen=address)


def _primary(region: Region) -> list[Attached]:
    """Interfaces by which instances leave for other networks."""
    return [item for items in region.index.attached_of.values() for item in items if item.interface.device_index == 0]


def _source(region: Region, item: Attached) -> Source:
    return Source(region.index.vpcs[item.interface.vpc_id], item.instance, item)


def places(region: Region, asked: Asked, key: str = "") -> list[Place]:
    """The HTTP or HTTPS listeners that have a service of that name on that port: in one VPC by its association, in one endpoint, or (key "") anywhere."""
    return [
        Place(listener, host)
        for listener in region.plan.proxy.http_listeners
        if listener.port == asked.port and key in ("", listener.vpc_endpoint_id or listener.vpc_id) and listener.scheme == asked.scheme
        for host in region.plan.proxy.hosts_of(listener)
        if asked.host in host.domains
    ]


@dataclass(frozen=True)
class Way:
    """How far a connection gets. network: of the VPC's association or of the endpoint, None without one. address: what the name stands for, None when that
    is no service network or endpoint. vpc: whose the request is for policies; endpoint_id: "" of an association."""

    gates: tuple[Gate, ...]
    network: ServiceNetwork | None = None
    address: Address | None = None
    vpc: Vpc | None = None
    endpoint_id: str = ""

    @property
    def key(self) -> str:
        """Of the listeners there: see `places`."""
        return self.endpoint_id or (self.vpc.id if self.vpc else "")


def association_way(region: Region, source: Source, asked: Asked) -> Way:
    """Association, name and security groups."""
    association = region.gates.association_of.get(source.vpc.id)
    if association is None:
        change = (f"associate {source.vpc.id} with the service network (CreateServiceNetworkVpcAssociation)",)
        return Way((Gate("vpc-association", Outcome.FAIL, f"{source.vpc.id} is associated with no service network", change=change),))
    network = region.gates.networks[association.service_network_id]
    first = Gate("vpc-association", Outcome.PASS, f"{source.vpc.id} is associated with service network {network.id}", association.id)
    name, found = _name_gate(region, source, network, asked)
    if not found:
        return Way((first, name), network)
    tried = [(address, _security_gates(region, source, association, address, asked.port)) for address in found]
    address, gates = next((one for one in tried if not any(gate.fails for gate in one[1])), tried[-1])
    return Way((first, name, *gates), network, address, source.vpc)


def preferred(source: Source, found: Iterable[str]) -> list[Address]:
    """As a client tries them: IPv6 first, and only families that it has ("Default Address Selection", RFC 6724)."""
    ordered = sorted(map(ip_address, found), key=lambda address: -address.version)
    if source.attached is None:
        return ordered
    interface = source.attached.interface
    versions = {address.version for address in (*interface.addresses, *interface.ipv6_addresses)}
    return [address for address in ordered if address.version in versions]


def own_address(interface: NetworkInterface, address: Address) -> Address:
    """The address of a client's interface that it uses with another one."""
    return interface.ipv6_addresses[0] if address.version == 6 else interface.addresses[0]


def _name_gate(region: Region, source: Source, network: ServiceNetwork, asked: Asked) -> tuple[Gate, list[Address]]:
    """Whether the client's resolver leads it to the service network, and to which addresses there, the first to be tried first."""
    resolver = next((item for item in region.plan.names.resolvers if item.vpc_id == source.vpc.id), None)
    if resolver is None or not resolver.enabled:
        change = (f"set enableDnsSupport of {source.vpc.id} (ModifyVpcAttribute)",)
        return Gate("name", Outcome.FAIL, f"{source.vpc.id} has no resolver: its attribute enableDnsSupport is off", change=change), []
    wanted = _addresses(region, source.vpc.id, asked.scheme)
    if is_address(asked.host):
        if asked.host in wanted:
            return _tried(source, Gate("name", Outcome.PASS, f"{asked.host} is an address of the service network"), [asked.host])
        return Gate("name", Outcome.UNKNOWN, f"{asked.host} is not an address of the service network's {_LEADS_TO[asked.scheme]}"), []
    found = look_up(resolver, asked.host)
    trail = " -> ".join((*found.trail, ", ".join(found.addresses) or "no address"))
    if hits := [address for address in found.addresses if address in wanted]:
        return _tried(source, Gate("name", Outcome.PASS, trail, f"zone {found.zone}"), hits)
    if found.addresses:
        detail = f"{trail}: not an address of the service network's {_LEADS_TO[asked.scheme]}; this explains only those"
        return Gate("name", Outcome.UNKNOWN, detail, f"zone {found.zone}"), []
    zone = f"zone {found.zone}" if found.zone else ""
    return Gate("name", Outcome.FAIL, f"{trail} in {source.vpc.id}", zone, change=_name_change(region, network, asked.host)), []


def _tried(source: Source, gate: Gate, found: list[str]) -> tuple[Gate, list[Address]]:
    """The gate of a name that leads to the service network, which fails for a client without an address of any such family."""
    if able := preferred(source, found):
        return gate, able
    lacking = "IPv6" if ":" in found[0] else "IPv4"
    return replace(gate, outcome=Outcome.FAIL, detail=f"{gate.detail}: the client has no {lacking} address"), []


_LEADS_TO = {"http": "services", "https": "services", "tls": "services", "tcp": "TCP resources (ask for a service with http:// or https://)"}


def _addresses(region: Region, vpc_id: str, scheme: str) -> set[str]:
    """Where the service network is in a VPC: one address for all services, one for each TCP resource."""
    if scheme == "tcp":
        return {item.address for item in region.plan.proxy.tcp_listeners if item.vpc_id == vpc_id and not item.vpc_endpoint_id}
    return set(addresses.both_families(region.index.vpcs[vpc_id], addresses.LATTICE_SERVICES))


def _name_change(region: Region, network: ServiceNetwork, host: str) -> tuple[str, ...]:
    service = next((item for item in region.index.world.services if host in (item.dns_name.lower(), item.custom_domain_name.lower())), None)
    if service is None:
        return ("use the service's own name (dnsEntry of GetService), or give a service this custom domain name",)
    if service.id not in {item.id for item in region.gates.services_of.get(network.id, [])}:
        return (f"associate service {service.id} with service network {network.id} (CreateServiceNetworkServiceAssociation)",)
    return (f"add a record {host} -> {service.dns_name} to a private hosted zone of the VPC",)


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _security_gates(region: Region, source: Source, association: VpcAssociation, address: Address, port: int) -> list[Gate]:
    """What the instance's groups let out, its subnet's network ACL lets pass both ways, and the association's groups let in."""
    ruleset = region.ruleset(source.vpc.id)
    if source.attached is None:
        return unasked()
    item = source.attached
    packet = Packet(own_address(item.interface, address), address, port, item.router_device)
    groups = item.interface.security_group_ids
    owner = f"interface {item.interface.id} of {item.instance.id}"
    change = f"allow TCP {port} to {LATTICE_RANGE if address == addresses.LATTICE_SERVICES else address} in an egress rule of {' or '.join(groups)}"
    gates = [security_gate(ruleset, "security-group-egress", gate_name("eg", item.interface.id), packet, owner, groups, change)]
    gates.append(acl_gate("network-acl", [Border(ruleset, item.subnet, leaving=True)], packet.source, address, port))
    if not association.security_group_ids:
        return [*gates, Gate("security-group-ingress", Outcome.PASS, f"association {association.id} has no security groups", association.id)]
    groups = association.security_group_ids
    change = f"allow TCP {port} from {packet.source} (or its security group) in an ingress rule of {' or '.join(groups)}"
    owner = f"association {association.id}"
    return [*gates, security_gate(ruleset, "security-group-ingress", gate_name("in", association.id), packet, owner, groups, change)]


def unasked() -> list[Gate]:
    """The gates that belong to an instance's interface, when none was named."""
    reason = "no instance was named, so its security groups and its subnet's network ACL are not asked"
    return [Gate(name, Outcome.SKIP, reason) for name in FILTERS]


def security_gate(ruleset: Ruleset, name: str, chain: str, packet: Packet, owner: str, groups: tuple[str, ...], change: str) -> Gate:
    try:
        ruling = walk(ruleset, chain, packet)
    except Unclear as problem:
        return Gate(name, Outcome.UNKNOWN, str(problem))
    what = f"TCP {packet.source} -> {packet.destination}:{packet.port}, {owner}"
    if ruling.verdict == "return" and ruling.rule is not None:
        return Gate(name, Outcome.PASS, what, f"rule {ruling.rule.comment}")
    return Gate(name, Outcome.FAIL, f"{what}: no rule of {', '.join(groups) or 'its groups'} allows it", ", ".join(groups), change=(change,))


def listener_gate(region: Region, way: Way, network: ServiceNetwork, asked: Asked) -> tuple[Gate, Place | None]:
    """Whether a service of that name listens on that port there."""
    found = places(region, asked, way.key)
    if found:
        place = found[0]
        return Gate("listener", Outcome.PASS, f"service {place.host.service_id} listens on port {asked.port}", place.host.listener_id), place
    services = [item for item in region.gates.services_of.get(network.id, []) if asked.host in (item.dns_name.lower(), item.custom_domain_name.lower())]
    if not services:
        detail = f"no service of service network {network.id} is called {asked.host}: the answer is 404"
        return Gate("listener", Outcome.FAIL, detail, change=("ask for a service by its own name or its custom domain name",)), None
    wanted = f"{asked.scheme.upper()} {asked.port}"
    ports = sorted({f"{item.protocol} {item.port}" for item in services[0].listeners})
    detail = f"service {services[0].id} has no listener for {wanted}, it has {', '.join(ports) or 'none'}: the connection is not answered"
    return Gate("listener", Outcome.FAIL, detail, services[0].id, change=(f"add a listener for {wanted}, or use a port it has",)), None
