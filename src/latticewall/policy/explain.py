"""Why a decision came out as it did, statement by statement and element by element, in words.

Uses `spec`, the plain definition, so that what is explained is the language itself and not an optimisation of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from latticewall.policy import spec
from latticewall.policy.combine import PrincipalPolicies
from latticewall.policy.document import Condition, Policy, PrincipalName, Statement
from latticewall.policy.engine import PolicySet
from latticewall.policy.lattice import LatticeDecision, LayerAuth, decide_invoke
from latticewall.policy.request import Request, canonical_key


@dataclass(frozen=True)
class Element:
    """One element of a statement. name: of the element, of a condition its operator. detail: what it wants and what the request has. condition:
    None for the other elements."""

    name: str
    holds: bool
    detail: str
    condition: Condition | None = None


@dataclass(frozen=True)
class Finding:
    """One statement against one request; it applies if all of its elements hold."""

    policy: str
    statement: int
    sid: str
    effect: str
    elements: tuple[Element, ...]

    @property
    def applies(self) -> bool:
        return not self.failing

    @property
    def failing(self) -> tuple[Element, ...]:
        """The elements that do not hold."""
        return tuple(element for element in self.elements if not element.holds)

    @property
    def name(self) -> str:
        """How people refer to the statement."""
        return f"{self.policy or 'policy'} statement {self.statement}" + (f" ({self.sid})" if self.sid else "")

    def __str__(self) -> str:
        if self.applies:
            return f"{self.name}: {self.effect} applies"
        missed = "; ".join(f"{element.name} {element.detail}" for element in self.failing)
        return f"{self.name}: {self.effect} does not apply: {missed}"


@dataclass(frozen=True)
class LayerFinding:
    """One layer of a decision: its name, its part in one phrase, and its statements."""

    layer: str
    outcome: str
    findings: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        return [f"{self.layer}: {self.outcome}", *(f"  {finding}" for finding in self.findings)]


@dataclass(frozen=True)
class Explanation:
    """A Lattice decision and what each layer contributed."""

    decision: LatticeDecision
    layers: tuple[LayerFinding, ...]

    def lines(self) -> list[str]:
        """For a person, the verdict first."""
        if self.decision.allowed:
            verdict = "allowed"
        else:
            verdict = f"denied by {self.decision.layer}: " + ("an explicit deny" if self.decision.explicit else "no statement allows it")
        return [verdict, *(line for layer in self.layers for line in layer.lines())]


def explain_policies(policies: Iterable[Policy], request: Request) -> tuple[Finding, ...]:
    """Each statement of a layer against the request."""
    return tuple(_finding(policy, statement, request) for policy in policies for statement in policy.statements)


def explain_invoke(request: Request, network: LayerAuth, service: LayerAuth, identity: PrincipalPolicies) -> Explanation:
    """The decision of `lattice.decide_invoke` with its reasons."""
    layers = [_auth_layer("service network", network, request), _auth_layer("service", service, request)]
    if not network.in_force and not service.in_force:
        layers.append(LayerFinding("identity", "not asked: neither layer has authType AWS_IAM"))
    elif request.principal.is_anonymous:
        layers.append(LayerFinding("identity", "not asked: the caller is anonymous"))
    else:
        layers.extend(_identity_layers(identity, request))
    return Explanation(decide_invoke(request, network, service, identity), tuple(layers))


def _auth_layer(name: str, auth: LayerAuth, request: Request) -> LayerFinding:
    return _layer(name, auth.policy, request) if auth.in_force else LayerFinding(name, "authType NONE, not asked")


def _layer(name: str, policies: PolicySet | None, request: Request) -> LayerFinding:
    if policies is None:
        return LayerFinding(name, "no policy is attached, so nothing is allowed")
    return LayerFinding(name, policies.evaluate(request).reason, explain_policies(policies.policies, request))


def _identity_layers(identity: PrincipalPolicies, request: Request) -> list[LayerFinding]:
    return [_layer("identity", identity.identity, request), *(_layer(str(kind), policies, request) for kind, policies in identity.limits())]


def _finding(policy: Policy, statement: Statement, request: Request) -> Finding:
    listed = statement.actions if statement.actions is not None else statement.not_actions or ()
    elements = [
        Element(
            "Action" if statement.actions is not None else "NotAction",
            spec.action_applies(statement, request.action),
            f"{in_brackets(listed)}, the request is {request.action}",
        )
    ]
    if statement.resources is not None or statement.not_resources is not None:
        resources = statement.resources if statement.resources is not None else statement.not_resources or ()
        name = "Resource" if statement.resources is not None else "NotResource"
        detail = f"{in_brackets(resources)}, the request is for {request.resource}"
        elements.append(Element(name, spec.resource_applies(policy, statement, request), detail))
    names = statement.principals if statement.principals is not None else statement.not_principals
    if names is not None:
        name = "Principal" if statement.principals is not None else "NotPrincipal"
        detail = f"{in_brackets(map(_named, names))}, the caller is {request.principal.display}"
        elements.append(Element(name, spec.principal_grant(statement, request.principal) is not None, detail))
    elements.extend(_condition(policy, statement, condition, request) for condition in statement.conditions)
    return Finding(policy.name, statement.index, statement.sid, str(statement.effect), tuple(elements))


def _condition(policy: Policy, statement: Statement, condition: Condition, request: Request) -> Element:
    detail = f"{condition.key} {in_brackets(condition.values)}, the request has {given(condition, request)}"
    return Element(str(condition.operator), spec.condition_holds(policy, condition, request, statement.effect), detail, condition)


def given(condition: Condition, request: Request) -> str:
    """What the request has of a condition's key, in words."""
    value = request.value(canonical_key(condition.key))
    return "no value" if value is None else repr(value) if isinstance(value, str) else in_brackets(value)


def _named(name: PrincipalName) -> str:
    return name.value if name.kind == "AWS" else f"{name.kind} {name.value}"


def in_brackets(values: Iterable[str]) -> str:
    return "[" + ", ".join(values) + "]"
