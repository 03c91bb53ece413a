"""What a set of policies would answer to actions on resources: the calculation of the policy simulator, without any input or output.

Pages: "EvaluationResult", "ResourceSpecificResult" (one result per action, which is the most restrictive over all resources; each resource's own
in ResourceSpecificResults), "Testing IAM policies with the IAM policy simulator".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from latticewall.base.faults import Fault, Invalid
from latticewall.policy.combine import PolicyType, PrincipalPolicies, Verdict, authorize
from latticewall.policy.decision import Decision, Match
from latticewall.policy.document import Form, Policy, Statement, parse_policy
from latticewall.policy.engine import PolicySet
from latticewall.policy.pattern import Variable, parse_template
from latticewall.policy.request import Principal, Request, canonical_key
from latticewall.resources.kind import Document
from latticewall.services.iam.positions import position, statement_spans

ALLOWED, EXPLICIT, IMPLICIT = "allowed", "explicitDeny", "implicitDeny"
SEVERITY = {ALLOWED: 0, IMPLICIT: 1, EXPLICIT: 2}
EVERYTHING = "*"
LAYERS = {PolicyType.IDENTITY: "IAM Policy", PolicyType.RESOURCE: "Resource Policy", PolicyType.BOUNDARY: "Permissions Boundary Policy"}
"""How EvalDecisionDetails names the policy types."""


@dataclass(frozen=True)
class Source:
    """A policy that takes part. id, type: as MatchedStatements names it."""

    id: str
    type: str
    text: str
    form: Form = Form.IDENTITY

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        return statement_spans(self.text)

    def matched(self, statement: int) -> Document:
        """A statement, by its number from 0."""
        start, end = self.spans[statement]
        return {
            "SourcePolicyId": self.id, "SourcePolicyType": self.type, "StartPosition": position(self.text, start), "EndPosition": position(self.text, end),
        }  # fmt: skip


class Layer:
    """Policies of one type, compiled so that a match leads back to its source. Raises InvalidInput for a text that is no policy."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.sources = tuple(sources)
        self.policies = PolicySet([_parsed(source, str(number)) for number, source in enumerate(self.sources)])

    def context_keys(self) -> list[str]:
        """The condition keys that the policies speak of, in conditions and variables; each once, as first written."""
        found: dict[str, str] = {}
        for policy in self.policies.policies:
            for statement in policy.statements:
                for key in (*(condition.key for condition in statement.conditions), *_variables(policy, statement)):
                    found.setdefault(canonical_key(key), key)
        return list(found.values())

    def matched(self, matches: Iterable[Match]) -> list[Document]:
        return [self.sources[int(match.policy)].matched(match.statement) for match in matches]


def _parsed(source: Source, name: str) -> Policy:
    try:
        return parse_policy(source.text, source.form, name)
    except Fault as fault:
        raise Invalid(f"{source.id}: {fault.message}", code="InvalidInput") from fault


def _variables(policy: Policy, statement: Statement) -> Iterator[str]:
    """The keys of the variables in resources and condition values."""
    if not policy.variables:
        return
    readers = [condition for condition in statement.conditions if condition.operator.comparison.variables]
    texts = (*(statement.resources or ()), *(statement.not_resources or ()), *(value for condition in readers for value in condition.values))
    for text in texts:
        yield from (piece.key for piece in parse_template(text, wildcards=True, variables=True) if isinstance(piece, Variable))


@dataclass(frozen=True)
class Answer:
    """One action on one resource. organization: what the service control policies say, None outside an organization; boundary likewise."""

    resource: str
    decision: str
    matched: Sequence[Document] = ()
    missing: Sequence[str] = ()
    details: Mapping[str, str] | None = None
    organization: bool | None = None
    boundary: bool | None = None

    def document(self, name_member: str, decision_member: str) -> Document:
        """With the two members that EvaluationResult and ResourceSpecificResult call differently."""
        shown: Document = {
            name_member: self.resource, decision_member: self.decision, "MatchedStatements": list(self.matched), "MissingContextValues": list(self.missing),
        }  # fmt: skip
        if self.details is not None:
            shown["EvalDecisionDetails"] = dict(self.details)
        if self.boundary is not None:
            shown["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": self.boundary}
        return shown


@dataclass(frozen=True)
class Simulation:
    """Everything but the action and the resource. service_control: None when the caller's account is in no organization, else one layer per level.
    owner: account of resources whose ARN names none."""

    principal: Principal
    identity: Layer
    boundary: Layer | None = None
    resource_policy: Layer | None = None
    service_control: Sequence[Layer] | None = None
    owner: str = ""
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def result(self, action: str, resources: Sequence[str]) -> Document:
        """The EvaluationResult of one action."""
        answers = [self.answer(action, resource) for resource in resources]
        whole = _aggregate(answers)
        shown = {"EvalActionName": action, **whole.document("EvalResourceName", "EvalDecision")}
        if whole.organization is not None:
            shown["OrganizationsDecisionDetail"] = {"AllowedByOrganizations": whole.organization}
        if list(resources) != [EVERYTHING]:
            shown["ResourceSpecificResults"] = [answer.document("EvalResourceName", "EvalResourceDecision") for answer in answers]
        return shown

    def answer(self, action: str, resource: str) -> Answer:
        request = Request(action, resource, self.principal, self.context)
        account = _account_of(resource) or self.owner or self.principal.account
        policies = PrincipalPolicies(
            self.identity.policies, self.boundary.policies if self.boundary else None, None, tuple(level.policies for level in self.service_control or ())
        )  # fmt: skip
        verdict = authorize(request, policies, self.resource_policy.policies if self.resource_policy else None, account)
        said = self._said(request)
        organization = None if self.service_control is None else all(level.policies.evaluate(request).allowed for level in self.service_control)
        foreign = bool(self.principal.account) and account != self.principal.account
        details: Mapping[str, str] | None = None if resource == EVERYTHING else {}
        if foreign:
            details = {LAYERS[kind]: _decision_of(decision) for kind, decision in said.items()}
            details = {LAYERS[PolicyType.RESOURCE]: IMPLICIT, **details}
        if verdict.by is PolicyType.SERVICE_CONTROL and not verdict.allowed:
            details = None
        return Answer(
            resource, _decision(verdict), self._matched(verdict, said), sorted({key for decision in said.values() for key in decision.missing}), details,
            organization, said[PolicyType.BOUNDARY].allowed if PolicyType.BOUNDARY in said else None,
        )  # fmt: skip

    def _layers(self) -> dict[PolicyType, Layer]:
        given = {PolicyType.IDENTITY: self.identity, PolicyType.RESOURCE: self.resource_policy, PolicyType.BOUNDARY: self.boundary}
        return {kind: layer for kind, layer in given.items() if layer is not None}

    def _said(self, request: Request) -> dict[PolicyType, Decision]:
        """What each type of policy says for itself; service control policies are not shown."""
        return {kind: layer.policies.evaluate(request) for kind, layer in self._layers().items()}

    def _matched(self, verdict: Verdict, said: Mapping[PolicyType, Decision]) -> list[Document]:
        """The statements that brought the decision about: the denying ones alone, or all that grant."""
        layers = self._layers()
        if not verdict.allowed:
            return layers[verdict.by].matched(verdict.statements) if verdict.explicit and verdict.by in layers else []
        granting = (PolicyType.IDENTITY, PolicyType.RESOURCE)
        return [shown for kind in granting if kind in said and said[kind].allowed for shown in layers[kind].matched(said[kind].statements)]


def _account_of(arn: str) -> str:
    """The account that an ARN names, "" where it names none."""
    segments = arn.split(":", 5)
    account = segments[4] if len(segments) == 6 else ""
    return account if account.isdigit() else ""


def _decision(verdict: Verdict) -> str:
    """A service control policy that does not allow is worded as an explicit deny elsewhere; here it is one only if a statement denied."""
    if verdict.allowed:
        return ALLOWED
    return EXPLICIT if verdict.explicit and verdict.statements else IMPLICIT


def _decision_of(decision: Decision) -> str:
    return ALLOWED if decision.allowed else EXPLICIT if decision.denied else IMPLICIT


def _aggregate(answers: Sequence[Answer]) -> Answer:
    """All resources at once: the most restrictive decision, and what contributed to it."""
    decision = max((answer.decision for answer in answers), key=SEVERITY.__getitem__)
    matched: list[Document] = []
    for answer in answers:
        matched += [shown for shown in answer.matched if answer.decision == decision and shown not in matched]
    details: dict[str, str] = {}
    for answer in answers:
        for kind, said in (answer.details or {}).items():
            details[kind] = max(said, details.get(kind, said), key=SEVERITY.__getitem__)
    known = any(answer.details is not None for answer in answers)
    return Answer(
        EVERYTHING, decision, matched, sorted({key for answer in answers for key in answer.missing}), details if known else None,
        _every(answer.organization for answer in answers), _every(answer.boundary for answer in answers),
    )  # fmt: skip


def _every(said: Iterable[bool | None]) -> bool | None:
    found = [item for item in said if item is not None]
    return all(found) if found else None
