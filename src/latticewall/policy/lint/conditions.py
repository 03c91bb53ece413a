"""Conditions that cannot match, always match, or mean something else for callers who did not sign."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.policy import spec
from latticewall.policy.condition_keys import SUITABLE, Holds, Key, is_unknown, known_key, similar_key, tells_of_caller
from latticewall.policy.document import Condition, Effect, Form, Policy, PrincipalName, Statement
from latticewall.policy.lattice import CONNECT, INVOKE
from latticewall.policy.lint.remark import Remark, info, warning
from latticewall.policy.lint.resources import speaks_of
from latticewall.policy.operators import NEGATED, Quantifier
from latticewall.policy.pattern import parse_template, split_arn
from latticewall.policy.request import Principal, Request, canonical_key, principal_context
from latticewall.policy.source import Path

_FAMILIES = ("String", "Numeric", "Date", "Bool", "Binary", "Arn", "Ip")
_UNSIGNED = Request(INVOKE, "", Principal.anonymous(), principal_context(Principal.anonymous()))
_SAME_IN_LATTICE = {"aws:sourcevpc": "vpc-lattice-svcs:SourceVpc", "aws:vpcsourceip": "aws:SourceIp"}


def condition_remarks(policy: Policy, statement: Statement, written: Mapping[str, Mapping[str, Any]]) -> Iterator[Remark]:
    """written: the Condition block as JSON has it, in the same order as the statement's conditions."""
    paths: list[Path] = [("Statement", statement.index, "Condition", operator, key) for operator, keys in written.items() for key in keys]
    for path, condition in zip(paths, statement.conditions, strict=True):
        key = known_key(condition.key)
        yield from _name(condition, path)
        if key is not None:
            yield from _place(policy, statement, condition, key, path)
            yield from _operator(condition, key, path)
            yield from _values(condition, key, path)
        yield from _texts(policy, condition, path)
        yield from _quantifier(statement, condition, key, path)
    if policy.form is Form.AUTH and PrincipalName("AWS", "*") in (statement.principals or ()):
        yield from _unsigned(policy, statement, paths)


def _name(condition: Condition, path: Path) -> Iterator[Remark]:
    if is_unknown(condition.key):
        similar = similar_key(condition.key)
        hint = f"did you mean {similar}?" if similar else ""
        yield warning("unknown-key", path, f"there is no condition key {condition.key}: no request ever has it", hint, at_name=True)


def _place(policy: Policy, statement: Statement, condition: Condition, key: Key, path: Path) -> Iterator[Remark]:
    """Keys that the requests in question never have."""
    if policy.form is Form.AUTH and not key.lattice:
        other = _SAME_IN_LATTICE.get(canonical_key(condition.key), "")
        yield warning("key-never-present", path, f"requests on the service network never have {condition.key}", other and f"{other} tells it", at_name=True)
    elif key.http and speaks_of(statement, CONNECT) and not speaks_of(statement, INVOKE):
        yield warning("key-never-present", path, f"connections ({CONNECT}) never have {condition.key}: only HTTP requests do", at_name=True)


def _operator(condition: Condition, key: Key, path: Path) -> Iterator[Remark]:
    """Operators that do not suit what the key holds."""
    operator = condition.operator
    family = next((family for family in _FAMILIES if NEGATED.get(operator.name, operator.name).startswith(family)), "")
    if family and key.holds is not Holds.FREE and family not in SUITABLE[key.holds]:
        better = ", ".join(sorted(SUITABLE[key.holds]))
        effect = "so it always holds" if operator.negated else "so it never holds"
        sentence = f"{operator} cannot read {condition.key}, which holds {key.holds.value}, {effect}"
        yield warning("unsuitable-operator", path, sentence, f"an operator of the families {better}")
    if key.many and operator.quantifier is Quantifier.ONE and operator.name != "Null":
        sentence = f"{condition.key} holds several values: without ForAnyValue or ForAllValues an Allow matches only if there is exactly one"
        yield warning("array-without-set-operator", path, sentence, f"ForAnyValue:{operator}")


def _values(condition: Condition, key: Key, path: Path) -> Iterator[Remark]:
    """Values that the key never has."""
    operator = condition.operator
    for index, text in enumerate(condition.values):
        here = (*path, index)
        if "$" in text or "*" in text or "?" in text:
            continue
        if operator.name in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike") and key.values and text not in key.values:
            effect = "always holds" if operator.negated else "never holds"
            right = next((value for value in key.values if value.lower() == text.lower()), "")
            sentence = f'{condition.key} is never "{text}", so {operator} of it {effect}: it is one of {", ".join(key.values)}'
            yield warning("impossible-value", here, sentence, right)
        if canonical_key(condition.key) == "vpc-lattice-svcs:requestmethod" and text != text.upper() and "IgnoreCase" not in operator.name:
            sentence = f"{operator} minds the case, and clients send methods in capital letters: {text} is none of them"
            yield warning("impossible-value", here, sentence, text.upper())
        if canonical_key(condition.key) == "aws:principalarn" and ":assumed-role/" in text:
            account, role = text.split(":")[4], text.split("/")[1]
            yield warning("session-arn-as-principal-arn", here, f"{condition.key} of a session is its role's ARN", f"arn:aws:iam::{account}:role/{role}")
        if key.holds is Holds.ADDRESS and operator.name.startswith("String") and "/" in text:
            yield warning("address-block-as-text", here, f"{operator} compares {text} as text: no address equals a block", "IpAddress or NotIpAddress")


def _texts(policy: Policy, condition: Condition, path: Path) -> Iterator[Remark]:
    """Values that their operator takes otherwise than they look."""
    operator = condition.operator
    positive = NEGATED.get(operator.name, operator.name)
    for index, text in enumerate(condition.values):
        here = (*path, index)
        template = parse_template(text, wildcards=True, variables=policy.variables)
        if positive in ("StringEquals", "StringEqualsIgnoreCase") and "*" in text.replace("${*}", ""):
            like = "StringNotLike" if operator.negated else "StringLike"
            yield warning("wildcard-in-equals", here, f"{operator} knows no wildcards: {text} is compared as it stands", like)
        if positive.startswith("Arn") and split_arn(template) is None:
            effect = "always" if operator.negated else "never"
            yield warning("value-is-no-arn", here, f"{text} is no ARN of six parts, so {operator} {effect} holds", "StringLike compares whole texts")
        if positive == "IpAddress" and "/" in text and str(ipaddress.ip_network(text, strict=False)) != text:
            yield info("host-bits", here, f"{text} stands for {ipaddress.ip_network(text, strict=False)}")
    if operator.name == "Null" and len({text.lower() for text in condition.values}) > 1:
        yield warning("null-always-holds", path, "absent or present: it always holds")


def _quantifier(statement: Statement, condition: Condition, key: Key | None, path: Path) -> Iterator[Remark]:
    """ForAllValues holds for a key that is absent; on a key of one value set operators only confuse."""
    operator = condition.operator
    if operator.quantifier is Quantifier.ALL and statement.effect is Effect.ALLOW and not _guarded(statement, condition):
        sentence = f"{operator} also holds if the request has no {condition.key}"
        yield warning("for-all-values-without-guard", path, sentence, f'add "Null": {{"{condition.key}": "false"}}')
    if key is not None and not key.many and operator.quantifier is not Quantifier.ONE:
        sentence = f"{condition.key} holds one value: {operator.quantifier.value} is for keys that hold several"
        yield info("set-operator-on-single-value", path, sentence, f"{operator.name}{'IfExists' if operator.if_exists else ''}")


def _guarded(statement: Statement, condition: Condition) -> bool:
    return any(
        other.operator.name == "Null" and canonical_key(other.key) == canonical_key(condition.key) and "true" not in map(str.lower, other.values)
        for other in statement.conditions
    )


def _unsigned(policy: Policy, statement: Statement, paths: list[Path]) -> Iterator[Remark]:
    """What the conditions mean for callers who did not sign and so have no keys of their own."""
    told = [(path, condition, known) for path, condition in zip(paths, statement.conditions, strict=True) if (known := _of_caller(condition))]
    outcomes = [(path, condition, known, spec.condition_holds(policy, condition, _UNSIGNED, statement.effect)) for path, condition, known in told]
    lacking = [(path, condition, holds) for path, condition, known, holds in outcomes if known.signed and condition.operator.name != "Null"]
    kept_out = not all(holds for _, _, _, holds in outcomes)
    for path, condition, holds in lacking:
        if statement.effect is Effect.DENY:
            if not holds:
                yield info("unsigned-callers-escape", path, f"callers who did not sign have no {condition.key}: this Deny does not reach them")
        elif not holds:
            yield info("unsigned-callers-never", path, f"callers who did not sign have no {condition.key}: they never satisfy this")
        elif not kept_out:
            sentence = f"callers who did not sign have no {condition.key}, and {condition.operator} holds without it: this lets them in"
            yield warning("unsigned-callers-admitted", path, sentence, 'add "StringNotEquals": {"aws:PrincipalType": "Anonymous"}')


def _of_caller(condition: Condition) -> Key | None:
    """The key, if what callers who did not sign have of it is known."""
    return known_key(condition.key) if tells_of_caller(condition.key) else None
