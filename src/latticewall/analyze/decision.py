"""The part of the policies: what `policy.lattice` decides about a request, layer by layer, with the statement that decided and the condition that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latticewall.analyze.callers import Caller, parsed
from latticewall.analyze.gate import POLICY_GATES, Edit, Gate, Outcome
from latticewall.analyze.question import Asked
from latticewall.base.faults import Fault
from latticewall.compile.authorization import audits
from latticewall.policy.changes import Changes, Side, needed_changes
from latticewall.policy.combine import PolicyType, caller_side
from latticewall.policy.document import Form
from latticewall.policy.engine import PolicySet
from latticewall.policy.explain import Finding, explain_policies
from latticewall.policy.lattice import (
    INVOKE,
    LatticeDecision,
    Layer,
    LayerAuth,
    Route,
    connect_request,
    decide_connect,
    decide_invoke,
    denial_text,
    invoke_request,
)
from latticewall.policy.request import Request, ResourceOwner, global_context
from latticewall.world.types import Account, ResourceConfiguration, Service, ServiceNetwork, World

GATE_OF = dict(zip((Layer.NETWORK, Layer.SERVICE, Layer.IDENTITY, Layer.RESOURCE), POLICY_GATES, strict=True))
"""Which gate stands for which layer of a decision."""


@dataclass(frozen=True)
class Decided:
    """The decision and the gates it consists of. request: the question the policies were asked."""

    decision: LatticeDecision
    request: Request
    gates: tuple[Gate, ...]

    @property
    def gate(self) -> str:
        """The gate of the layer that denied, "" when none did. An explicit deny anywhere comes before a missing allow."""
        return "" if self.decision.layer is None else GATE_OF[self.decision.layer]

    def document(self) -> dict[str, Any]:
        decision = self.decision
        found: dict[str, Any] = {
            "allowed": decision.allowed,
            "layer": str(decision.layer) if decision.layer else "",
            "explicit": decision.explicit,
            "statements": [str(match) for match in decision.statements],
            "action": self.request.action,
            "resource": self.request.resource,
        }
        return {**found, "text": denial_text(decision, self.request)} if self.request.action == INVOKE and not decision.allowed else found


@dataclass(frozen=True)
class Circumstances:
    """Everything about a request but who asks. now: aware, UTC. vpc_id, vpc_owner, source_ip: "" when they are not known."""

    asked: Asked
    network: ServiceNetwork
    service: Service
    now: datetime
    vpc_id: str = ""
    vpc_owner: str = ""
    source_ip: str = ""


def decide(world: World, place: Circumstances, caller: Caller) -> Decided:
    """The decision of `decide_invoke`, and each layer's part in it; about a TLS connection, too."""
    network, problem = _layer(place.network, f"auth policy of service network {place.network.id}")
    service, other = _layer(place.service, f"auth policy of service {place.service.id}")
    request = _request(world, place, caller)
    decision = decide_invoke(request, network, service, caller.policies)
    needed = _needed(request, [(Layer.NETWORK, network, problem), (Layer.SERVICE, service, other)], caller)
    gates = (
        _auth_gate(Layer.NETWORK, f"service network {place.network.id}", network, problem, request, needed),
        _auth_gate(Layer.SERVICE, f"service {place.service.id}", service, other, request, needed),
        _identity_gate(caller, request, needed, in_force=network.in_force or service.in_force),
    )
    return Decided(decision, request, gates)


_DENIED = "a statement denies it"
Needed = Mapping[str, Changes]
"""What each part of the decision has to change: a layer, or a part of the caller's own by `_part_name`."""


def _needed(request: Request, layers: list[tuple[Layer, LayerAuth, str]], caller: Caller) -> Needed:
    """Of all parts together, so that with everything changed the request is allowed. layers: each with what makes its policy unreadable."""
    sides = {str(layer): Side(layer, auth.policy.policies if auth.policy else ()) for layer, auth, problem in layers if auth.in_force and not problem}
    if not caller.principal.is_anonymous and not caller.unreadable and any(auth.in_force for _, auth, _ in layers):
        sides |= {name: Side(kind, policies.policies, grants) for name, kind, policies, grants in _parts(caller)}
    return dict(zip(sides, needed_changes(tuple(sides.values()), request), strict=True))


def _parts(caller: Caller) -> list[tuple[str, PolicyType, PolicySet, bool]]:
    """Name, kind and policies of what the caller's side consists of, and whether it must allow: an account's root user needs no policies of its own."""
    own = (str(PolicyType.IDENTITY), PolicyType.IDENTITY, caller.policies.identity, caller.principal.type != "Account")
    return [own, *((_part_name(kind, at), kind, policies, True) for at, (kind, policies) in enumerate(caller.policies.limits()))]


def _layer(resource: ServiceNetwork | Service | ResourceConfiguration, name: str) -> tuple[LayerAuth, str]:
    """A stored policy that cannot be read allows nothing; also returns why. A resource configuration's is always in force."""
    auth_type = "AWS_IAM" if isinstance(resource, ResourceConfiguration) else resource.auth_type
    if not resource.policy:
        return LayerAuth(auth_type), ""
    try:
        return LayerAuth(auth_type, PolicySet([parsed(resource.policy, name, Form.AUTH)])), ""
    except Fault as fault:
        return LayerAuth("AWS_IAM"), fault.message


def _request(world: World, place: Circumstances, caller: Caller) -> Request:
    owner = next((item for item in world.accounts if item.id == place.service.account), Account(place.service.account))
    asked = place.asked
    keys = global_context(
        caller.principal, now=place.now, region=world.region, source_ip=place.source_ip, user_agent=asked.header("user-agent"),
        referer=asked.header("referer"), secure=asked.scheme in ("https", "tls"),
        owner=ResourceOwner(owner.id, owner.org_id, owner.org_paths, dict(place.service.tags)),
    )  # fmt: skip
    route = Route(place.network.arn, place.service.arn, asked.port, place.vpc_id, place.vpc_owner)
    if asked.scheme == "tls":
        return connect_request(caller.principal, route, place.service.arn, keys)
    return invoke_request(caller.principal, route, asked.method, asked.target, asked.headers, keys)


def _auth_gate(layer: Layer, owner: str, auth: LayerAuth, problem: str, request: Request, needed: Needed) -> Gate:
    name = GATE_OF[layer]
    if problem:
        readable = (f"put an auth policy on {owner} that can be read (PutAuthPolicy)",)
        return Gate(name, Outcome.FAIL, f"the auth policy of {owner} cannot be read and allows nothing: {problem}", change=readable)
    if not auth.in_force:
        return Gate(name, Outcome.SKIP, f"{owner} has authType NONE, its policy is not asked")
    if auth.policy is None:
        principal = request.principal
        who = "everybody" if principal.is_anonymous else principal.policy_arn
        change = (f"put an auth policy on {owner} that allows {who} {request.action} on {request.resource} (PutAuthPolicy)",)
        detail = f"{owner} has authType AWS_IAM and no policy: everything is denied"
        return Gate(name, Outcome.FAIL, detail, change=change, edits=_edits(needed[layer]))
    return _policy_gate(name, auth.policy, request, layer, needed[layer])


def _edits(changes: Changes) -> tuple[Edit, ...]:
    return tuple(change.edit for change in changes if change.edit is not None)


def _policy_gate(name: str, policies: PolicySet, request: Request, layer: str, needed: Changes, *, grants: bool = True) -> Gate:
    """One layer's own answer: who decided, or what came nearest to allowing it."""
    answer = policies.evaluate(request)
    change, edits = tuple(one.sentence for one in needed), _edits(needed)
    if answer.denied:
        return Gate(name, Outcome.FAIL, _DENIED, ", ".join(map(str, answer.statements)), change=change, edits=edits)
    if answer.allowed:
        return Gate(name, Outcome.PASS, "a statement allows it", ", ".join(map(str, answer.statements)), change=change, edits=edits)
    if not grants:
        return Gate(name, Outcome.PASS, "no statement denies it, and the root user of an account needs none that allows it")
    findings = explain_policies(policies.policies, request)
    nearest = _nearest(findings)
    if nearest is None:
        return Gate(name, Outcome.FAIL, f"no statement of the {layer.lower()} layer allows anything", change=change, edits=edits)
    missed = tuple(f"{element.name}: {element.detail}" for element in nearest.failing)
    return Gate(name, Outcome.FAIL, "no statement allows it", f"nearest: {nearest.name}", missed, change, edits=edits)


def _nearest(findings: tuple[Finding, ...]) -> Finding | None:
    """The Allow with the fewest elements that do not hold, the first of equals."""
    allows = [finding for finding in findings if finding.effect == "Allow"]
    return min(allows, key=lambda finding: len(finding.failing), default=None)


def _identity_gate(caller: Caller, request: Request, needed: Needed, *, in_force: bool) -> Gate:
    """The caller's own policies, within what limits them."""
    name = GATE_OF[Layer.IDENTITY]
    if not in_force:
        return Gate(name, Outcome.SKIP, "neither layer has authType AWS_IAM, so nobody asks the caller's policies")
    if caller.principal.is_anonymous:
        return Gate(name, Outcome.SKIP, "the caller is anonymous and has no policies")
    if caller.unreadable:
        return Gate(name, Outcome.FAIL, f"the caller may do nothing: {caller.unreadable}", change=("repair that policy, or ask as somebody else",))
    parts = [_policy_gate(part, policies, request, kind, needed[part], grants=grants) for part, kind, policies, grants in _parts(caller)]
    change, edits = tuple(one for part in parts for one in part.change), tuple(one for part in parts for one in part.edits)
    verdict = caller_side(request, caller.policies)
    if verdict.allowed:
        detail, decided = "the caller's policies allow it", ", ".join(map(str, verdict.statements))
        return Gate(name, Outcome.PASS, detail, decided, change=change, parts=tuple(parts), edits=edits)
    denying = next((part for part in parts if part.detail == _DENIED), None)
    failing = denying or next((part for part in parts if part.fails), parts[0])
    return Gate(name, Outcome.FAIL, f"{failing.name}: {failing.detail}", failing.decided_by, failing.failed, change, tuple(parts), edits)


def _part_name(kind: PolicyType, at: int) -> str:
    return f"{kind}, level {at}" if kind is PolicyType.SERVICE_CONTROL else str(kind)


def decide_resource(world: World, configuration: ResourceConfiguration, caller: Caller, route: Route, source_ip: str, now: datetime) -> Decided | None:
    """The decision of `decide_connect` about a connection to a TCP resource; None when it has no auth policy of its own, so that nobody decides."""
    if not configuration.has_policy:
        return None
    owner = next((item for item in world.accounts if item.id == configuration.account), Account(configuration.account))
    place = ResourceOwner(owner.id, owner.org_id, owner.org_paths, dict(configuration.tags))
    keys = global_context(caller.principal, now=now, region=world.region, source_ip=source_ip, owner=place)
    request = connect_request(caller.principal, route, configuration.arn, keys)
    auth, problem = _layer(configuration, f"auth policy of resource configuration {configuration.id}")
    decision = decide_connect(request, auth.policy, caller.policies)
    needed = _needed(request, [(Layer.RESOURCE, auth, problem)], caller)
    own = _auth_gate(Layer.RESOURCE, f"resource configuration {configuration.id}", auth, problem, request, needed)
    identity = _identity_gate(caller, request, needed, in_force=True)
    if caller.principal.is_anonymous:
        role = (
            "give the instance an instance profile with a role that lets ec2.amazonaws.com in",
            f"allow that role {request.action} on {request.resource} in its identity policies",
        )
        identity = Gate(identity.name, Outcome.FAIL, "the connecting instance has no credentials of a role", change=role)
        if own.fails:
            wanted = f"name the instance's role in an Allow for {request.action} of the auth policy of resource configuration {configuration.id}"
            own = replace(own, change=(wanted,), edits=())
    return Decided(decision, request, (own, identity))


def audited(gates: tuple[Gate, ...], network: ServiceNetwork, service: Service) -> tuple[Gate, ...]:
    """In audit mode what would be denied passes."""
    if not audits(network, service):
        return gates
    return passing(gates)


def passing(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates as audit mode leaves them: what fails is written down."""
    return tuple(replace(gate, outcome=Outcome.AUDIT) if gate.fails else gate for gate in gates)
