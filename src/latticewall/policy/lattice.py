"""The decision of the Lattice data plane, which is not ordinary IAM: every layer in force must allow, also within one account.

Pages followed: VPC Lattice User Guide, "Control access to VPC Lattice services using auth policies". `decide_connect` is this project's own: AWS
does not apply auth policies to resource configurations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from latticewall.policy.combine import CallerSide, PrincipalPolicies
from latticewall.policy.decision import Match
from latticewall.policy.engine import PolicySet
from latticewall.policy.request import Context, Principal, Request

INVOKE = "vpc-lattice-svcs:Invoke"
CONNECT = "vpc-lattice-svcs:Connect"


class Layer(StrEnum):
    """Who denied, in the words of the access log's authDeniedReason."""

    NETWORK = "Network"
    SERVICE = "Service"
    IDENTITY = "Identity"
    RESOURCE = "Resource"
    """A resource configuration's own policy (not an AWS value)."""


_POLICY_OF = {
    Layer.NETWORK: "a network-based policy",
    Layer.SERVICE: "a service-based policy",
    Layer.IDENTITY: "an identity-based policy",
    Layer.RESOURCE: "a resource-based policy",
}


@dataclass(frozen=True)
class LayerAuth:
    """authType of a service network or service and its policy. AWS_IAM without policy denies everything; with NONE a policy is ignored."""

    auth_type: str
    policy: PolicySet | None = None

    @property
    def in_force(self) -> bool:
        """Anything but NONE is enforced: an unknown word must not open the door."""
        return self.auth_type != "NONE"


OPEN = LayerAuth("NONE")


@dataclass(frozen=True)
class LatticeDecision:
    """layer: who denied, None if allowed. explicit: by a statement, rather than for want of one. statements: those that decided."""

    allowed: bool
    layer: Layer | None = None
    explicit: bool = False
    statements: tuple[Match, ...] = ()


def decide_invoke(request: Request, network: LayerAuth, service: LayerAuth, identity: PrincipalPolicies) -> LatticeDecision:
    """Whether a request may reach the service. identity counts only for callers that signed; neither layer in force: no check at all."""
    layers = [(layer, auth) for layer, auth in ((Layer.NETWORK, network), (Layer.SERVICE, service)) if auth.in_force]
    if not layers:
        return LatticeDecision(allowed=True)
    return _decide(request, [(layer, auth.policy) for layer, auth in layers], None if request.principal.is_anonymous else identity)


def decide_connect(request: Request, policy: PolicySet | None, identity: PrincipalPolicies) -> LatticeDecision:
    """Whether a connecting instance may reach a TCP resource that has an auth policy of its own. The caller is the role of the instance's
    profile: without a role nobody asks, so nothing is allowed. The policy and the role's identity policies must both allow."""
    if request.principal.is_anonymous or not request.principal.role_arn:
        return LatticeDecision(allowed=False, layer=Layer.IDENTITY)
    return _decide(request, [(Layer.RESOURCE, policy)], identity)


def _decide(request: Request, layers: list[tuple[Layer, PolicySet | None]], identity: PrincipalPolicies | None) -> LatticeDecision:
    """Explicit denies first, then a missing allow, resource side before identity; identity None for anonymous callers."""
    decisions = [(layer, policy.evaluate(request) if policy is not None else None) for layer, policy in layers]
    for layer, decision in decisions:
        if decision is not None and decision.denied:
            return LatticeDecision(allowed=False, layer=layer, explicit=True, statements=decision.statements)
    own = CallerSide.of(request, identity) if identity is not None else None
    if own is not None and (denial := own.denial()):
        return LatticeDecision(allowed=False, layer=Layer.IDENTITY, explicit=True, statements=denial.statements)
    statements: tuple[Match, ...] = ()
    for layer, decision in decisions:
        if decision is None or not decision.allowed:
            return LatticeDecision(allowed=False, layer=layer)
        statements += decision.statements
    if own is not None:
        verdict = own.verdict()
        if not verdict.allowed:
            return LatticeDecision(allowed=False, layer=Layer.IDENTITY)
        statements += verdict.statements
    return LatticeDecision(allowed=True, statements=statements)


def denial_text(decision: LatticeDecision, request: Request) -> str:
    """The one-line body of the 403 answer, as AWS words it."""
    layer = decision.layer or Layer.IDENTITY
    who = f"AccessDeniedException: User: {request.principal.display} is not authorized to perform: {request.action} on resource: {request.resource}"
    if decision.explicit:
        return f"{who} with an explicit deny in {_POLICY_OF[layer]}"
    name = _POLICY_OF[layer].split(" ", 1)[1]
    return f"{who} because no {name} allows the {request.action} action"


@dataclass(frozen=True)
class Route:
    """Where a request or connection came from and goes to, as condition keys tell it."""

    service_network_arn: str = ""
    service_arn: str = ""
    port: int = 0
    source_vpc: str = ""
    source_vpc_owner: str = ""

    def context(self) -> dict[str, str | tuple[str, ...]]:
        values = {
            "vpc-lattice-svcs:ServiceNetworkArn": self.service_network_arn,
            "vpc-lattice-svcs:ServiceArn": self.service_arn,
            "vpc-lattice-svcs:Port": str(self.port or ""),
            "vpc-lattice-svcs:SourceVpc": self.source_vpc,
            "vpc-lattice-svcs:SourceVpcOwnerAccount": self.source_vpc_owner,
        }
        return {key: value for key, value in values.items() if value}


def invoke_request(
    principal: Principal, route: Route, method: str, target: str, headers: Iterable[tuple[str, str]], global_keys: Context
) -> Request:
    """The question a request to a service asks. target: path and query exactly as forwarded; the query is not part of the resource. headers: in
    arrival order; repeated ones are joined by a comma."""
    path, _, query = target.partition("?")
    context: dict[str, str | tuple[str, ...]] = {**global_keys, **route.context()}
    context["vpc-lattice-svcs:RequestMethod"] = method
    context["vpc-lattice-svcs:RequestPath"] = path
    joined: dict[str, list[str]] = {}
    for name, value in headers:
        joined.setdefault(name.lower(), []).append(value)
    context |= {f"vpc-lattice-svcs:RequestHeader/{name}": ",".join(values) for name, values in joined.items()}
    context |= {f"vpc-lattice-svcs:RequestQueryString/{name}": values for name, values in _query(query).items()}
    return Request(INVOKE, f"{route.service_arn}/{path.removeprefix('/')}", principal, context)


def connect_request(principal: Principal, route: Route, resource_configuration_arn: str, global_keys: Mapping[str, str | tuple[str, ...]]) -> Request:
    """The question a TCP connection to a resource configuration asks."""
    return Request(CONNECT, resource_configuration_arn, principal, {**global_keys, **route.context()})


def _query(query: str) -> dict[str, tuple[str, ...]]:
    """Parameter -> values in order, percent-decoded; a plus sign stays one."""
    values: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        key = _decoded(name)
        values[key] = (*values.get(key, ()), _decoded(value))
    return values


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
