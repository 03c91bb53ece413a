"""Why a decision came out as it did, statement by statement and element by element, in words.

Uses `spec`, the plain definition, so that what is explained is the language itself and not an optimisation of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from latticewall.policy import spec
from latticewall.policy.combine import PolicyType, PrincipalPolicies
from latticewall.policy.condition_keys import tells_of_caller
from latticewall.policy.document import Condition, Effect, Form, Policy, PrincipalName, Statement
from latticewall.policy.engine import PolicySet
from latticewall.policy.lattice import INVOKE, LatticeDecision, Layer, LayerAuth, decide_invoke
from latticewall.policy.operators import NEGATED, Quantifier
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
            f"{_listed(listed)}, the request is {request.action}",
        )
    ]
    if statement.resources is not None or statement.not_resources is not None:
        resources = statement.resources if statement.resources is not None else statement.not_resources or ()
        name = "Resource" if statement.resources is not None else "NotResource"
        detail = f"{_listed(resources)}, the request is for {request.resource}"
        elements.append(Element(name, spec.resource_applies(policy, statement, request), detail))
    names = statement.principals if statement.principals is not None else statement.not_principals
    if names is not None:
        name = "Principal" if statement.principals is not None else "NotPrincipal"
        detail = f"{_listed(map(_named, names))}, the caller is {request.principal.display}"
        elements.append(Element(name, spec.principal_grant(statement, request.principal) is not None, detail))
    elements.extend(_condition(policy, statement, condition, request) for condition in statement.conditions)
    return Finding(policy.name, statement.index, statement.sid, str(statement.effect), tuple(elements))


def _condition(policy: Policy, statement: Statement, condition: Condition, request: Request) -> Element:
    detail = f"{condition.key} {_listed(condition.values)}, the request has {_given(condition, request)}"
    return Element(str(condition.operator), spec.condition_holds(policy, condition, request, statement.effect), detail, condition)


def _given(condition: Condition, request: Request) -> str:
    value = request.value(canonical_key(condition.key))
    return "no value" if value is None else repr(value) if isinstance(value, str) else _listed(value)


def _named(name: PrincipalName) -> str:
    return name.value if name.kind == "AWS" else f"{name.kind} {name.value}"


def _listed(values: Iterable[str]) -> str:
    return "[" + ", ".join(values) + "]"


def smallest_change(policies: Iterable[Policy], request: Request, layer: str = "") -> tuple[str, ...]:
    """What would have to change so that this layer allows the request, in sentences; () if it does. All denying statements have to go; of the
    statements that could allow, those that lack the least are named, one sentence for each way. layer: a `lattice.Layer` or `combine.PolicyType`."""
    written = tuple(policies)
    findings = explain_policies(written, request)
    applying = [finding for finding in findings if finding.applies]
    sentences = [_without(finding) for finding in applying if finding.effect == Effect.DENY]
    if any(finding.effect == Effect.ALLOW for finding in applying):
        return tuple(sentences)
    nearest = [finding for finding in findings if finding.effect == Effect.ALLOW and len(finding.failing) == 1]
    sentences += [_mended(finding, finding.failing[0], request) for finding in nearest[:3]]
    return tuple(sentences) if nearest else (*sentences, _added(written, request, layer))


def _without(finding: Finding) -> str:
    """How to get rid of a Deny."""
    conditions = [f"{element.name} {element.detail}" for element in finding.elements if element.condition is not None]
    narrowed = f", or see to it that one of its conditions no longer holds: {'; '.join(conditions)}" if conditions else ", or narrow what it denies"
    return f"remove {finding.name}, which denies the request{narrowed}"


def _mended(finding: Finding, element: Element, request: Request) -> str:
    """How to make the one element hold that keeps an Allow from applying."""
    if element.condition is not None:
        has = f"the request has {_given(element.condition, request)}"
        if request.principal.is_anonymous and request.action == INVOKE and tells_of_caller(element.condition.key):
            has = f"sign the request: unsigned, it has {_given(element.condition, request)}"
        return f"{finding.name} would allow it if {_wish(element.condition)}; {has}"
    if element.name == "Principal":
        return f"{finding.name} would allow it for another caller: {_let_in(request)}"
    wanted = request.action if "Action" in element.name else request.resource
    if element.name.startswith("Not"):
        return f"{finding.name} leaves {wanted} out: remove from its {element.name} what matches it"
    return f"add {wanted} to the {element.name} of {finding.name}, which has {element.detail.partition(', the request')[0]}"


def _let_in(request: Request) -> str:
    """Who connects to a TCP resource is the role of an instance; who connects to a TLS listener is anonymous, whatever he does."""
    principal = request.principal
    if principal.is_anonymous and request.action == INVOKE:
        return 'sign the request as one of those it names, or give it the Principal "*"'
    if principal.is_anonymous:
        here = ":resourceconfiguration/" in request.resource
        return f'{"connect from an instance with a role that it names, or " if here else ""}give it the Principal "*"'
    return f"add {principal.policy_arn or principal.display} to its Principal"


_WISHES = {
    "StringEquals": "were",
    "StringEqualsIgnoreCase": "were, in any case,",
    "StringLike": "matched",
    "ArnEquals": "matched the ARN",
    "ArnLike": "matched the ARN",
    "Bool": "were",
    "BinaryEquals": "were",
    "IpAddress": "were in",
    "NumericLessThan": "were less than",
    "NumericLessThanEquals": "were at most",
    "NumericGreaterThan": "were more than",
    "NumericGreaterThanEquals": "were at least",
    "DateLessThan": "were before",
    "DateLessThanEquals": "were at or before",
    "DateGreaterThan": "were after",
    "DateGreaterThanEquals": "were at or after",
}


def _wish(condition: Condition) -> str:
    """What the condition wants, as the end of a sentence that begins with "if"."""
    operator = condition.operator
    values = condition.values[0] if len(condition.values) == 1 else f"one of {_listed(condition.values)}"
    if operator.name == "Null":
        return f"{condition.key} were " + ("absent" if condition.values[0].lower() == "true" else "present")
    which = {Quantifier.ONE: "", Quantifier.ALL: "every value of ", Quantifier.ANY: "a value of "}[operator.quantifier]
    positive = NEGATED.get(operator.name, operator.name)
    verb = _WISHES.get(positive, "were")
    return f"{which}{condition.key} {verb}{' anything but' if operator.negated else ''} {values}"


_HOLDERS = {
    str(Layer.NETWORK): "the auth policy of the service network",
    str(Layer.SERVICE): "the auth policy of the service",
    str(Layer.RESOURCE): "the auth policy of the resource configuration",
    str(PolicyType.BOUNDARY): "the permissions boundary",
    str(PolicyType.SESSION): "the session policy",
    str(PolicyType.SERVICE_CONTROL): "the service control policies of this level",
    str(PolicyType.RESOURCE_CONTROL): "the resource control policies of this level",
    str(PolicyType.RESOURCE): "the resource's policy",
    str(PolicyType.TRUST): "the role's trust policy",
}


def _added(policies: tuple[Policy, ...], request: Request, layer: str) -> str:
    """The statement to add where none comes close."""
    principal = request.principal
    who = 'Principal "*"' if principal.is_anonymous else principal.policy_arn or principal.display
    what = f"add an Allow for {request.action} on {request.resource}"
    if layer in (Layer.IDENTITY, PolicyType.IDENTITY) or (not layer and all(own.form in (Form.IDENTITY, Form.MANAGED) for own in policies)):
        return f"{what} to the identity policies of {who}"
    limits = layer in (PolicyType.BOUNDARY, PolicyType.SESSION, PolicyType.SERVICE_CONTROL)
    return f"{what}{'' if limits else f' for {who}'} to {_HOLDERS.get(layer, 'the policy')}"
