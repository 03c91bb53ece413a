"""The smallest change that would let a request be allowed, layer by layer, in words and as data.

Nothing is proposed that was not tried: every change is made to the policies (or to the request) here, and asked of the plain definition of the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from latticewall.base.faults import Fault
from latticewall.policy import spec
from latticewall.policy.combine import PolicyType
from latticewall.policy.condition_keys import tells_of_caller
from latticewall.policy.document import Condition, Effect, Form, Policy, PrincipalName, Statement
from latticewall.policy.explain import Element, Finding, explain_policies, given, in_brackets
from latticewall.policy.lattice import INVOKE, Layer
from latticewall.policy.operators import NEGATED, Quantifier, Reading, parse_date, parse_network, parse_number
from latticewall.policy.pattern import parse_template, resolve
from latticewall.policy.request import Request, canonical_key
from latticewall.policy.written import StatementEdit, rewritten, statement_document

MOST_WAYS = 3
"""Of the statements that lack as little as each other, how many are named."""
FIXED = frozenset(
    canonical_key(key)
    for key in (
        "aws:PrincipalType", "aws:PrincipalAccount", "aws:PrincipalArn", "aws:userid", "aws:username", "aws:SourceIp", "aws:ResourceAccount",
        "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:CurrentTime", "aws:EpochTime", "aws:RequestedRegion", "aws:SecureTransport",
        "vpc-lattice-svcs:Port", "vpc-lattice-svcs:RequestMethod", "vpc-lattice-svcs:RequestPath", "vpc-lattice-svcs:ServiceArn",
        "vpc-lattice-svcs:ServiceNetworkArn", "vpc-lattice-svcs:SourceVpc", "vpc-lattice-svcs:SourceVpcOwnerAccount",
    )
)  # fmt: skip
"""Keys whose value makes the request this one: with another, it would be another request. So the statement has to change."""


@dataclass(frozen=True)
class RequestEdit:
    """A condition key as the request would have to have it: its value, None for absent."""

    key: str
    value: str | tuple[str, ...] | None


@dataclass(frozen=True)
class Change:
    """One change. sentence: several ways joined by "or" where there are several. edit: the first of them as data; None to sign, which is another caller."""

    sentence: str
    edit: StatementEdit | RequestEdit | None


@dataclass(frozen=True)
class Side:
    """One layer of a decision. layer: a `lattice.Layer` or `combine.PolicyType`. grants: it must allow, rather than only not deny."""

    layer: str
    policies: tuple[Policy, ...]
    grants: bool = True

    @property
    def form(self) -> Form:
        """Of a policy that the layer has not got yet."""
        kinds: dict[str, Form] = {PolicyType.SERVICE_CONTROL: Form.SERVICE_CONTROL, PolicyType.RESOURCE: Form.RESOURCE, PolicyType.TRUST: Form.TRUST}
        auth = (Layer.NETWORK, Layer.SERVICE, Layer.RESOURCE)
        return self.policies[0].form if self.policies else Form.AUTH if self.layer in auth else kinds.get(self.layer, Form.IDENTITY)

    def lets_pass(self, request: Request) -> bool:
        answer = spec.evaluate(self.policies, request)
        return answer.allowed if self.grants else not answer.denied


Changes = tuple[Change, ...]


def needed_changes(sides: Sequence[Side], request: Request) -> tuple[Changes, ...]:
    """For each layer all changes it needs, in order: with those of all layers made, the request is allowed. Where a layer would be content with another
    request, the later ones are asked about that; if the layers do not agree on one, their policies change instead. Signing makes another caller, of
    whose policies nothing is known here."""
    found: list[Changes] = []
    for by_request in (True, False):
        found, asked = [], request
        for side in sides:
            found.append(_changes(side, asked, by_request))
            asked = asking(asked, found[-1])
        if any(change.edit is None for changes in found for change in changes):
            return tuple(found)
        if _all_pass(sides, request, found):
            break
    for at, changes in enumerate(found):
        for change in changes:
            without = [*found[:at], tuple(own for own in found[at] if own is not change), *found[at + 1 :]]
            found = without if _all_pass(sides, request, without) else found
    return tuple(found)


def _all_pass(sides: Sequence[Side], request: Request, changes: Sequence[Changes]) -> bool:
    """Whether the request is allowed with these changes of each layer made."""
    asked = asking(request, (change for own in changes for change in own))
    return all(changed(side, own).lets_pass(asked) for side, own in zip(sides, changes, strict=True))


def asking(request: Request, changes: Iterable[Change]) -> Request:
    """The request as the changes want it."""
    for edit in (change.edit for change in changes):
        if isinstance(edit, RequestEdit):
            request = _with_value(request, edit.key, edit.value)
    return request


def changed(side: Side, changes: Iterable[Change]) -> Side:
    """The layer with its policies as the changes want them."""
    edits = [change.edit for change in changes if isinstance(change.edit, StatementEdit)]
    return replace(side, policies=rewritten(side.policies, edits, side.form))


def _changes(side: Side, request: Request, by_request: bool) -> Changes:
    findings = explain_policies(side.policies, request)
    applying = [finding for finding in findings if finding.applies]
    denials = tuple(_without(finding) for finding in applying if finding.effect == Effect.DENY)
    if not side.grants or any(finding.effect == Effect.ALLOW for finding in applying):
        return denials
    clear = changed(side, denials)
    ways = list(_ways(clear, request, by_request))[:MOST_WAYS]
    if not ways:
        return (*denials, _added(side, request))
    return (*denials, Change("; or ".join(dict.fromkeys(way.sentence for way in ways)), ways[0].edit))


def _without(finding: Finding) -> Change:
    """How to get rid of a Deny, which no Allow outweighs."""
    conditions = [f"{element.name} {element.detail}" for element in finding.elements if element.condition is not None]
    narrowed = f", or see to it that one of its conditions no longer holds: {'; '.join(conditions)}" if conditions else ", or narrow what it denies"
    return Change(f"remove {finding.name}, which denies the request{narrowed}", StatementEdit(finding.policy, finding.statement, None))


# -- an Allow that lacks one thing ------------------------------------------------------------------------------------------------------------


def _ways(side: Side, request: Request, by_request: bool) -> Iterator[Change]:
    """Each Allow that lacks one element, with what makes it hold; those that do not make the layer allow are left out."""
    for policy in side.policies:
        for finding, statement in zip(explain_policies([policy], request), policy.statements, strict=True):
            if finding.effect != Effect.ALLOW or len(finding.failing) != 1:
                continue
            way = _mended(policy, statement, finding, request, by_request)
            if way is not None and (way.edit is None or _helps(side, way, request)):
                yield way


def _helps(side: Side, change: Change, request: Request) -> bool:
    try:
        return changed(side, [change]).lets_pass(asking(request, [change]))
    except Fault:
        return False


def _mended(policy: Policy, statement: Statement, finding: Finding, request: Request, by_request: bool) -> Change | None:
    """How to make the one element hold that keeps an Allow from applying."""
    element = finding.failing[0]
    if element.condition is not None:
        return _conditioned(policy, statement, finding, element.condition, request, by_request)
    mended = _broadened(statement, element.name, request, policy)
    edit = StatementEdit(policy.name, statement.index, statement_document(mended)) if mended else None
    if edit is None:
        return None
    if element.name == "Principal":
        return Change(f"{finding.name} would allow it for another caller: {_let_in(request)}", edit)
    wanted = request.action if "Action" in element.name else request.resource
    if element.name.startswith("Not"):
        return Change(f"{finding.name} leaves {wanted} out: remove from its {element.name} what matches it", edit)
    return Change(f"add {wanted} to the {element.name} of {finding.name}, which has {_has(element)}", edit)


def _has(element: Element) -> str:
    return element.detail.partition(", the request")[0]


def _broadened(statement: Statement, element: str, request: Request, policy: Policy) -> Statement | None:
    """The statement with the request's own value in the element; None where nothing would be left of it."""
    if element == "Principal":
        return replace(statement, principals=(*(statement.principals or ()), _name_of(request)))
    if element == "Action":
        return replace(statement, actions=(*(statement.actions or ()), request.action))
    if element == "Resource":
        return replace(statement, resources=(*(statement.resources or ()), literal(request.resource, policy)))
    if element == "NotAction":
        left = tuple(text for text in statement.not_actions or () if not spec.action_applies(replace(statement, actions=(text,)), request.action))
        return replace(statement, not_actions=left) if left else None
    left = tuple(text for text in statement.not_resources or () if not spec.resource_applies(policy, replace(statement, resources=(text,)), request))
    return replace(statement, not_resources=left) if left else None


def literal(text: str, policy: Policy) -> str:
    """A pattern that covers this text: of the version with variables, nothing but it."""
    escaped = "".join(f"${{{character}}}" if character in "*?$" else character for character in text)
    return text if not policy.variables or text == "*" else escaped


def _name_of(request: Request) -> PrincipalName:
    return PrincipalName("AWS", "*" if request.principal.is_anonymous else request.principal.policy_arn)


def _let_in(request: Request) -> str:
    """Who connects to a TCP resource is the role of an instance; who connects to a TLS listener is anonymous, whatever he does."""
    principal = request.principal
    if principal.is_anonymous and request.action == INVOKE:
        return 'sign the request as one of those it names, or give it the Principal "*"'
    if principal.is_anonymous:
        here = ":resourceconfiguration/" in request.resource
        return f'{"connect from an instance with a role that it names, or " if here else ""}give it the Principal "*"'
    return f"add {principal.policy_arn or principal.display} to its Principal"


# -- conditions -------------------------------------------------------------------------------------------------------------------------------


def _conditioned(policy: Policy, statement: Statement, finding: Finding, condition: Condition, request: Request, by_request: bool) -> Change | None:
    """Another request where one can be made, else other values."""
    key, has = canonical_key(condition.key), given(condition, request)
    would = f"{finding.name} would allow it if {_wish(condition)}"
    if by_request and request.principal.is_anonymous and request.action == INVOKE and tells_of_caller(condition.key):
        return Change(f"{would}; sign the request: unsigned, it has {has}", None)
    if by_request and key not in FIXED:
        for value in _candidates(policy, condition, request):
            if spec.condition_holds(policy, condition, _with_value(request, condition.key, value), statement.effect):
                return Change(f"{would}; the request has {has}", RequestEdit(condition.key, value))
    if (values := _values_for(policy, condition, request)) is None:
        return None
    conditions = tuple(replace(own, values=values) if own is condition else own for own in statement.conditions if own is not condition or values)
    edit = StatementEdit(policy.name, statement.index, statement_document(replace(statement, conditions=conditions)))
    how = f"remove from the values of {condition.operator} what matches it" if condition.operator.negated else "add that to its values"
    return Change(f"{would}; the request has {has}: {how}", edit)


def _values_for(policy: Policy, condition: Condition, request: Request) -> tuple[str, ...] | None:
    """The condition's values with the request's own among them, or of a negated operator without what matches it; None where that is no way."""
    value = request.value(canonical_key(condition.key))
    if not isinstance(value, str) or condition.operator.name == "Null":
        return None
    if condition.operator.negated:
        return tuple(text for text in condition.values if not spec.value_matches(policy, condition.operator.comparison, text, value, request))
    variables = policy.variables and condition.operator.comparison.variables
    return (*condition.values, literal(value, policy) if variables else value)


def _candidates(policy: Policy, condition: Condition, request: Request) -> Iterator[str | tuple[str, ...] | None]:
    """Values that may satisfy a condition, those that it names first."""
    comparison = condition.operator.comparison
    if not condition.operator.negated:
        for text in condition.values:
            template = parse_template(
                text, wildcards=comparison.reading in (Reading.PATTERN, Reading.ARN), variables=policy.variables and comparison.variables
            )
            pattern = resolve(template, request.variable)
            if pattern is not None:
                yield "".join(piece if isinstance(piece, str) else "x" for piece in pattern)
    yield None
    yield "x"
    for text in condition.values:
        yield from _near(condition.operator.name, text)


def _near(operator: str, text: str) -> Iterator[str]:
    """One less, one more, or the first address of a block."""
    if operator.startswith("Numeric") and (number := parse_number(text)) is not None:
        yield from (str(number - 1), str(number + 1))
    if operator.startswith("Date") and (seconds := parse_date(text)) is not None:
        yield from (datetime.fromtimestamp(int(seconds) + more, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for more in (-1, 1))
    if operator == "IpAddress" and (network := parse_network(text)) is not None:
        yield str(network[0])


def _with_value(request: Request, key: str, value: str | tuple[str, ...] | None) -> Request:
    name = canonical_key(key)
    context = {own: kept for own, kept in request.context.items() if canonical_key(own) != name}
    return Request(request.action, request.resource, request.principal, context if value is None else {**context, key: value})


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
    values = condition.values[0] if len(condition.values) == 1 else f"one of {in_brackets(condition.values)}"
    if operator.name == "Null":
        return f"{condition.key} were " + ("absent" if condition.values[0].lower() == "true" else "present")
    which = {Quantifier.ONE: "", Quantifier.ALL: "every value of ", Quantifier.ANY: "a value of "}[operator.quantifier]
    positive = NEGATED.get(operator.name, operator.name)
    verb = _WISHES.get(positive, "were")
    return f"{which}{condition.key} {verb}{' anything but' if operator.negated else ''} {values}"


# -- a new Allow ------------------------------------------------------------------------------------------------------------------------------

_HOLDERS = {
    str(Layer.NETWORK): "the auth policy of the service network",
    str(Layer.SERVICE): "the auth policy of the service",
    str(Layer.RESOURCE): "the auth policy of the resource configuration",
    str(PolicyType.BOUNDARY): "the permissions boundary",
    str(PolicyType.SESSION): "the session policy",
    str(PolicyType.SERVICE_CONTROL): "the service control policies of this level",
}


def _added(side: Side, request: Request) -> Change:
    """The statement to add where none comes close."""
    principal, policy = request.principal, side.policies[0] if side.policies else Policy(side.form, (), "2012-10-17")
    statement: dict[str, Any] = {"Effect": "Allow", "Action": request.action, "Resource": literal(request.resource, policy)}
    what = f"add an Allow for {request.action} on {request.resource}"
    who = 'Principal "*"' if principal.is_anonymous else principal.policy_arn or principal.display
    if side.form in (Form.AUTH, Form.RESOURCE):
        statement |= {"Principal": "*" if principal.is_anonymous else {"AWS": principal.policy_arn}}
        sentence = f"{what} for {who} to {_HOLDERS[side.layer]}"
    elif side.layer in _HOLDERS:
        sentence = f"{what} to {_HOLDERS[side.layer]}"
    else:
        sentence = f"{what} to the identity policies of {who}"
    return Change(sentence, StatementEdit(policy.name, None, statement))
