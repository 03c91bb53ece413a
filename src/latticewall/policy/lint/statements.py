"""Remarks about whole policies and statements, their actions and principals."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.policy.combine import RESOURCE_CONTROL_SERVICES
from latticewall.policy.document import Effect, Form, Policy, PrincipalName, Statement
from latticewall.policy.lattice import CONNECT, INVOKE
from latticewall.policy.lint.remark import Remark, info, warning
from latticewall.policy.match import TextTest, account_of, action_test
from latticewall.policy.source import Path

_EVERYONE = PrincipalName("AWS", "*")
_WITH_RESOURCE_ID = (Form.AUTH, Form.RESOURCE, Form.TRUST)


def policy_remarks(policy: Policy, document: Mapping[str, Any]) -> Iterator[Remark]:
    """What concerns several statements, or none."""
    if "Id" in document and policy.form not in _WITH_RESOURCE_ID:
        yield info("id-without-use", ("Id",), "Id is meant for policies of resources; here it has no use", at_name=True)
    if not policy.variables:
        yield from _literal_variables(policy)
    yield from _duplicates(policy.statements)
    yield from _shadowed(policy.statements)


def _literal_variables(policy: Policy) -> Iterator[Remark]:
    for statement in policy.statements:
        texts = [*(statement.resources or ()), *(statement.not_resources or ())]
        texts += [text for condition in statement.conditions for text in condition.values]
        found = next((text for text in texts if "${" in text), "")
        if found:
            sentence = f"{found} is taken literally: policy variables need Version 2012-10-17, and this is {policy.version}"
            yield warning("variable-in-old-version", ("Statement", statement.index), sentence, 'write "Version": "2012-10-17"')


def _duplicates(statements: tuple[Statement, ...]) -> Iterator[Remark]:
    first: dict[object, int] = {}
    for statement in statements:
        elements = (
            *(statement.actions, statement.not_actions, statement.resources, statement.not_resources),
            *(statement.principals, statement.not_principals, statement.conditions),
        )
        same = (statement.effect, *(None if element is None else frozenset(element) for element in elements))
        if first.setdefault(same, statement.index) != statement.index:
            yield warning("duplicate-statement", ("Statement", statement.index), f"it says the same as statement {first[same]}", "leave one of them out")


def _shadowed(statements: tuple[Statement, ...]) -> Iterator[Remark]:
    """An Allow can do nothing beside an unconditional Deny of the same actions for everyone on everything."""
    denies = [(deny.index, test) for deny in statements if deny.effect is Effect.DENY and _unconditional(deny) and (test := _denied(deny))]
    for statement in statements:
        if statement.effect is Effect.DENY:
            continue
        actions = [action.lower() for action in statement.actions or ("*",)]
        deny = next((index for index, denied in denies if all(map(denied, actions))), None)
        if deny is not None:
            sentence = f"it can never allow anything: statement {deny} denies its actions to everyone on every resource"
            yield warning("shadowed-by-deny", ("Statement", statement.index), sentence, "narrow the Deny or leave this statement out")


def _unconditional(statement: Statement) -> bool:
    everyone = statement.not_principals is None and (statement.principals is None or _EVERYONE in statement.principals)
    everything = statement.not_resources is None and "*" in (statement.resources or ("*",))
    return everyone and everything and not statement.conditions


def _denied(deny: Statement) -> TextTest | None:
    """Whether all that an action or pattern of another statement covers is denied; patterns are compared as text, so that a star of the one has to
    stand for the star of the other."""
    return None if deny.actions is None else action_test(pattern for pattern in deny.actions if "?" not in pattern)


def statement_remarks(policy: Policy, statement: Statement) -> Iterator[Remark]:
    """Actions that do not exist or do not belong here; principals that are not what they seem."""
    here: Path = ("Statement", statement.index)
    for element, actions in (("Action", statement.actions), ("NotAction", statement.not_actions)):
        for index, action in enumerate(actions or ()):
            yield from _action(policy.form, action, (*here, element, index))
    for element, names in (("Principal", statement.principals), ("NotPrincipal", statement.not_principals)):
        for name in dict.fromkeys(names or ()):
            yield from _principal(policy.form, name, (*here, element))
    if statement.not_principals is not None:
        yield from _not_principal(statement.not_principals, (*here, "NotPrincipal"))
    if policy.form is Form.TRUST and _EVERYONE in (statement.principals or ()) and statement.effect is Effect.ALLOW and not statement.conditions:
        yield warning("trust-everyone", (*here, "Principal"), "every principal of every account may assume the role", "name the account or role")


def _action(form: Form, action: str, path: Path) -> Iterator[Remark]:
    vendor, _, name = action.lower().partition(":")
    known = (INVOKE, CONNECT)
    covers = action_test((action,))
    if not any(covers(own.lower()) for own in known) and (form is Form.AUTH or vendor == "vpc-lattice-svcs"):
        close = difflib.get_close_matches(name, [own.partition(":")[2].lower() for own in known], 1)
        meant = next((own for own in known if close and own.lower().endswith(f":{close[0]}")), "")
        sentence = f"{action} is none of the service network's actions, which are {INVOKE} and {CONNECT}"
        yield warning("unknown-action", path, sentence, meant)
    if form is Form.RESOURCE_CONTROL and action != "*" and vendor not in RESOURCE_CONTROL_SERVICES:
        yield warning("unreached-service", path, f"resource control policies do not reach {vendor}")


def _principal(form: Form, name: PrincipalName, path: Path) -> Iterator[Remark]:
    if form is Form.AUTH and name.kind != "AWS":
        yield warning("principal-never-calls", path, f"no request on the service network comes from a {name.kind} principal: {name.value} matches nobody")
    if name.kind == "AWS" and ":assumed-role/" in name.value:
        account, role = name.value.split(":")[4], name.value.split("/")[1]
        sentence = f"{name.value} is one session of the role; its other sessions have other names"
        yield info("session-principal", path, sentence, f"arn:aws:iam::{account}:role/{role} names all of them (with the role's path, if it has one)")
    if name.kind == "AWS" and name.value.startswith(("AIDA", "AROA")):
        yield info("principal-by-id", path, f"{name.value} is a unique id: whoever had it may be gone, and nobody gets it again")


def _not_principal(names: tuple[PrincipalName, ...], path: Path) -> Iterator[Remark]:
    if _EVERYONE in names:
        yield warning("not-principal-everyone", path, "it exempts everyone, so the statement never applies", at_name=True)
        return
    better = 'Principal "*" with the condition ArnNotEquals aws:PrincipalArn'
    for name in names:
        if name.kind == "AWS" and account_of(name.value):
            sentence = f"{name.value} exempts only the root user of the account; its users and roles are denied unless they are listed too"
            yield warning("not-principal-account", path, sentence, better, at_name=True)
            return
    yield info("not-principal", path, "NotPrincipal denies everyone else, also callers who did not sign", better, at_name=True)
