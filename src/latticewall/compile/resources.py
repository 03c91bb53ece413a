"""Resource configurations as connections to them are made: from which addresses, to which, on which ports.

Pages: "Resource configurations for VPC resources", "Resource gateways in VPC Lattice". A GROUP stands for its children. A domain name is resolved here,
again with every change of anything that it could depend on: there is no resolver outside the region whose answers could change unseen, so that a
changed record counts at once and not only after its time to live.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network

from latticewall.base.inet import parse_address
from latticewall.compile.index import Index
from latticewall.compile.names import public_zones, zones_in
from latticewall.compile.resolution import Zones
from latticewall.compile.service_network import ServiceNetworkGates
from latticewall.compile.tunnels import CIDR
from latticewall.plan.node import Problem
from latticewall.world.types import ResourceConfiguration, ResourceGateway

GROUP = "GROUP"
IN_VPC = "IN_VPC"
NEVER_TARGETS = tuple(
    ip_network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "129.224.0.0/17", "224.0.0.0/3", "::/8", "fc00::/7", "fe80::/10", "ff00::/8")
)


@dataclass(frozen=True)
class Leaf:
    """One configuration that can be connected to (a SINGLE or a CHILD), by way of its gateway. sources: addresses of the gateway. targets: addresses of
    the resource, none while its name has none. ports: inclusive ranges."""

    configuration: ResourceConfiguration
    gateway: ResourceGateway
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ports: tuple[tuple[int, int], ...]


class Resources:
    """The resource configurations of a world."""

    def __init__(self, index: Index, gates: ServiceNetworkGates) -> None:
        self._index = index
        self._gates = gates
        self._zones: dict[str, Zones] = {}
        self._leaves: dict[str, Leaf | None] = {}

    def leaves(self, configuration_id: str) -> tuple[Leaf, ...]:
        """What can be connected to under a configuration: itself, or the children of a GROUP; nothing when there is no such configuration."""
        configuration = self._gates.configurations.get(configuration_id)
        if configuration is None or configuration.type == CIDR:
            return ()
        members = self._children.get(configuration_id, []) if configuration.type == GROUP else [configuration]
        return tuple(found for member in members if (found := self._leaf(member)) is not None)

    def leaf(self, configuration_id: str) -> Leaf | None:
        """The configuration as one leaf; None for a GROUP or a CIDR."""
        configuration = self._gates.configurations.get(configuration_id)
        return self._leaf(configuration) if configuration and configuration.type not in (GROUP, CIDR) else None

    def problems(self) -> list[Problem]:
        """Configurations whose name has no address now, and the associations that cannot carry anything therefore."""
        missing = {
            found.configuration.id: self._unresolved(found)
            for configuration in self._index.world.resource_configurations
            for found in self.leaves(configuration.id)
            if not found.targets
        }
        found = [Problem("vpc-lattice:ResourceConfiguration", identifier, reason, passing=True) for identifier, reason in missing.items()]
        return found + [
            Problem("vpc-lattice:ServiceNetworkResourceAssociation", association.id, missing[association.resource_configuration_id], passing=True)
            for association in self._index.world.resource_associations
            if association.resource_configuration_id in missing
        ]

    @cached_property
    def _children(self) -> dict[str, list[ResourceConfiguration]]:
        found = defaultdict(list)
        for configuration in self._index.world.resource_configurations:
            if configuration.group_id:
                found[configuration.group_id].append(configuration)
        return found

    def _leaf(self, configuration: ResourceConfiguration) -> Leaf | None:
        if configuration.id not in self._leaves:
            self._leaves[configuration.id] = self._make_leaf(configuration)
        return self._leaves[configuration.id]

    def _make_leaf(self, configuration: ResourceConfiguration) -> Leaf | None:
        gateway = self._gates.gateways.get(configuration.gateway_id)
        if gateway is None or not gateway.addresses:
            return None
        sources = tuple(str(address) for address in gateway.addresses if address.version == _family(configuration))
        return Leaf(configuration, gateway, sources, self._targets(configuration, gateway), configuration.port_ranges)

    def _targets(self, configuration: ResourceConfiguration, gateway: ResourceGateway) -> tuple[str, ...]:
        if address := (configuration.definition.get("ipResource") or {}).get("ipAddress"):
            return (str(address),)
        name = (configuration.definition.get("dnsResource") or {}).get("domainName")
        found = self._zones_of(gateway).addresses(name, "AAAA" if _family(configuration) == 6 else "A") if name else ()
        return tuple(address for address in dict.fromkeys(found) if may_be_target(address))

    def _zones_of(self, gateway: ResourceGateway) -> Zones:
        """What the gateway resolves names by: its VPC's resolver, or public DNS."""
        place = gateway.vpc_id if gateway.resolution == IN_VPC else ""
        if place not in self._zones:
            vpc = self._index.vpcs.get(place)
            self._zones[place] = Zones(zones_in(self._index, self._gates, vpc) if vpc else () if place else public_zones(self._index.world))
        return self._zones[place]

    def _unresolved(self, found: Leaf) -> str:
        if resource := found.configuration.definition.get("arnResource"):
            return f"DB instance {resource['arn']} does not run"
        name = (found.configuration.definition.get("dnsResource") or {}).get("domainName", "")
        where = f"by the resolver of {found.gateway.vpc_id}" if found.gateway.resolution == IN_VPC else "in the region's public hosted zones"
        return f"{name} does not resolve to an IPv{_family(found.configuration)} address {where} ({found.gateway.id}: {found.gateway.resolution})"


def _family(configuration: ResourceConfiguration) -> int:
    """4 or 6: over what the resource is reached from its gateway."""
    definition = configuration.definition
    is_ipv6 = ":" in (definition.get("ipResource") or {}).get("ipAddress", "") or (definition.get("dnsResource") or {}).get("ipAddressType") == "IPV6"
    return 6 if is_ipv6 else 4


def may_be_target(text: str) -> bool:
    """A record's value may be anything; of addresses those are no resource's that mean the VPC's router itself: what listens there (instance metadata, the
    region's endpoint, the service network) trusts whom it sees to be an instance."""
    try:
        address = parse_address(text)
    except ValueError:
        return False
    return not any(address in block for block in NEVER_TARGETS)
