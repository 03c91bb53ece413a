"""TLS_PASSTHROUGH listeners in client VPCs, and who may connect ("TLS listeners", "Control access to VPC Lattice services using auth policies").

Callers of a TLS listener are anonymous and the action is `vpc-lattice-svcs:Connect` on the service, so that everything a policy can ask for but the
source address is known here. A decision is per VPC, and per address of its instances where a policy speaks of the source address; an address that is
not known is denied. Time is decided on the safe side: what is not allowed at every end of the span for which this plan may be in force is denied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache

from latticewall.base.faults import Fault
from latticewall.compile.asked_keys import ADDRESS_KEY, asks_for, moments
from latticewall.compile.authorization import audits
from latticewall.compile.entrances import Entrance, entrances
from latticewall.compile.index import Index
from latticewall.compile.service_network import TLS_PASSTHROUGH, ServiceNetworkGates
from latticewall.plan.node import Problem
from latticewall.plan.tls_passthrough import TlsDecision, TlsListener, TlsService
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Form, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.lattice import LatticeDecision, Layer, LayerAuth, Route, connect_request, decide_invoke
from latticewall.policy.request import Principal, ResourceOwner, global_context
from latticewall.world.types import Account, LatticeRule, Listener, Service, ServiceNetwork, TargetGroup, Vpc


def compile_tls(index: Index, gates: ServiceNetworkGates) -> tuple[tuple[TlsListener, ...], tuple[Problem, ...]]:
    """One listener per entrance and port. Of two services with one custom domain name on one port the first keeps it; the other is a problem."""
    listeners_of = {network: by_protocol[TLS_PASSTHROUGH] for network, by_protocol in gates.listeners_of.items() if TLS_PASSTHROUGH in by_protocol}
    if not listeners_of:
        return (), ()
    groups = {key: group for group in index.world.target_groups for key in (group.id, group.arn)}
    found: list[TlsListener] = []
    problems: list[Problem] = []
    for entrance in entrances(index, gates):
        by_port: dict[int, dict[str, tuple[Service, Listener]]] = defaultdict(dict)
        for _, service, listener in sorted(listeners_of.get(entrance.network.id, ()), key=lambda item: item[1].id):
            name = service.custom_domain_name.lower()
            if name in by_port[listener.port]:
                problems.append(Problem("vpc-lattice:Service", service.id, f"{name} already names another service on port {listener.port} of {entrance.key}"))
            else:
                by_port[listener.port][name] = service, listener
        for port, services in sorted(by_port.items()):
            found.append(_listener(entrance, port, [_service(index, entrance, *pair, groups) for pair in services.values()]))
    return tuple(sorted(found, key=lambda item: item.name)), tuple(problems)


def _listener(entrance: Entrance, port: int, services: list[TlsService]) -> TlsListener:
    return TlsListener(
        name=f"tls-{entrance.key}-{port}", namespace=entrance.namespace, address=entrance.address, port=port, vpc_id=entrance.vpc.id,
        vpc_arn=entrance.vpc.arn, services=tuple(services), vpc_endpoint_id=entrance.endpoint_id,
    )  # fmt: skip


def _service(index: Index, entrance: Entrance, service: Service, listener: Listener, groups: dict[str, TargetGroup]) -> TlsService:
    return TlsService(
        service_arn=service.arn, service_id=service.id, service_network_arn=entrance.network.arn, listener_id=listener.id,
        server_name=service.custom_domain_name.lower(), clusters=_clusters(listener.rules, groups),
        decisions=_Decider(index, entrance.vpc, entrance.network, service, listener.port).decisions(), idle_timeout=service.idle_timeout,
    )  # fmt: skip


def _clusters(rules: Iterable[LatticeRule], groups: dict[str, TargetGroup]) -> tuple[tuple[str, int], ...]:
    """The default rule's target groups: there is no other rule."""
    forwards = [item for rule in rules if rule.is_default for item in (rule.action.get("forward") or {}).get("targetGroups") or ()]
    return tuple((groups[item["targetGroupIdentifier"]].id, int(item.get("weight", 100))) for item in forwards if item["targetGroupIdentifier"] in groups)


@dataclass(frozen=True)
class _Decider:
    """Who may connect from one VPC to one service on one port."""

    index: Index
    vpc: Vpc
    network: ServiceNetwork
    service: Service
    port: int

    def decisions(self) -> tuple[TlsDecision, ...]:
        """See TlsService.decisions."""
        if not self._texts:
            return ()
        if not any(asks_for(text, ADDRESS_KEY) for text in self._texts):
            return (self._decide(""),)
        by_decision: dict[TlsDecision, list[str]] = defaultdict(list)
        interfaces = [item.interface for item in self.index.attached_of.get(self.vpc.id, [])]
        for address in sorted(str(address) for found in interfaces for address in (*found.addresses, *found.ipv6_addresses)):
            by_decision[self._decide(address)].append(address)
        known = [replace(decision, addresses=tuple(found)) for decision, found in by_decision.items()]
        unknown = TlsDecision((), allowed=self._audits, layer=str(Layer.NETWORK if _layer(self.network).in_force else Layer.SERVICE))
        return (*known, unknown)

    @cached_property
    def _texts(self) -> list[str]:
        return [layer.policy for layer in (self.network, self.service) if _layer(layer).in_force]

    @cached_property
    def _moments(self) -> tuple[datetime, ...]:
        return moments(self._texts, self.index.world.now)

    @property
    def _audits(self) -> bool:
        return audits(self.network, self.service)

    def _decide(self, source_ip: str) -> TlsDecision:
        verdicts = (self._verdict(source_ip, moment) for moment in self._moments)
        denied = next((verdict for verdict in verdicts if not verdict.allowed), None)
        if denied is None:
            return TlsDecision((), allowed=True)
        statement = denied.statements[0].statement if denied.statements else -1
        return TlsDecision((), self._audits, str(denied.layer), denied.explicit, statement)

    def _verdict(self, source_ip: str, moment: datetime) -> LatticeDecision:
        caller, service = Principal.anonymous(), self.service
        account = next((known for known in self.index.world.accounts if known.id == service.account), Account(service.account))
        route = Route(self.network.arn, service.arn, self.port, self.vpc.id, self.vpc.account)
        keys = global_context(
            caller, now=moment, region=self.index.world.region, source_ip=source_ip, secure=True,
            owner=ResourceOwner(service.account, account.org_id, account.org_paths, dict(service.tags)),
        )  # fmt: skip
        return decide_invoke(connect_request(caller, route, service.arn, keys), _layer(self.network), _layer(service), PrincipalPolicies())


def _layer(resource: ServiceNetwork | Service) -> LayerAuth:
    return LayerAuth(resource.auth_type, _policies(resource.policy))


@lru_cache(maxsize=1024)
def _policies(text: str) -> PolicySet | None:
    """What does not parse allows nobody."""
    try:
        return PolicySet([parse_policy(text, Form.AUTH)]) if text else None
    except Fault:
        return None
