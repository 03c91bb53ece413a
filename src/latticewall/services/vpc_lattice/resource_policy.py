"""Resource policies: what other accounts may do with a service network, service or resource configuration, without AWS RAM ("PutResourcePolicy").

"The policy must contain the same actions and condition statements as the RAM permission": Allow statements for accounts, or for everyone within an
organization or unit, with actions of that permission, on this very resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from latticewall.auth.resource_policies import POLICY
from latticewall.base.faults import Invalid
from latticewall.base.resource_shares import DEFAULTS
from latticewall.base.rows import Row
from latticewall.policy.document import Condition, Effect, Form, Malformed, Policy, Statement, minify, parse_policy
from latticewall.policy.operators import Quantifier
from latticewall.resources.context import Context
from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice.access_log import kind_of
from latticewall.services.vpc_lattice.find import usable
from latticewall.services.vpc_lattice.service_network import refuse_unshareable

_ACCOUNT = re.compile(r"\d{12}|arn:aws:iam::\d{12}:root", re.ASCII)
_WITHIN = {"aws:principalorgid": re.compile(r"o-[a-z0-9]{10,32}"), "aws:principalorgpaths": re.compile(r"o-[a-z0-9]{10,32}/.*", re.DOTALL)}
"""Conditions that keep a grant within one organization: what their values must look like."""


def put_resource_policy(ctx: Context, params: Document) -> Document:
    """PutResourcePolicy; answers nothing. The text is kept without insignificant whitespace."""
    row = usable(ctx, kind_of(params["resourceArn"]), params["resourceArn"])
    refuse_unshareable(row, "resourceArn")
    for statement in _read(params["policy"]).statements:
        for complaint in _complaints(row, statement):
            raise _refused(f"Statement {statement.index} of the policy {complaint}")
    ctx.change(row, {POLICY: minify(params["policy"])})
    return {}


def get_resource_policy(ctx: Context, params: Document) -> Document:
    """GetResourcePolicy; without a policy the answer is empty."""
    row = ctx.resolve(kind_of(params["resourceArn"]), params["resourceArn"])
    return {"policy": row.document[POLICY]} if POLICY in row.document else {}


def delete_resource_policy(ctx: Context, params: Document) -> Document:
    """DeleteResourcePolicy: associations that others made stay."""
    row = usable(ctx, kind_of(params["resourceArn"]), params["resourceArn"])
    if POLICY in row.document:
        ctx.change(row, {POLICY: None})
    return {}


def _read(policy: str) -> Policy:
    try:
        return parse_policy(policy, Form.RESOURCE, "the policy")
    except Malformed as problem:
        raise _refused(problem.message) from None


def _refused(message: str) -> Invalid:
    return Invalid(message, code="ValidationException", fields=(("policy", message),), members={"reason": "fieldValidationFailed"})


def _complaints(row: Row, statement: Statement) -> Iterator[str]:
    """What keeps a statement from saying no more than RAM's permission could."""
    permission, names = DEFAULTS[row.kind], statement.principals or ()
    if statement.effect is not Effect.ALLOW:
        yield "must have the effect Allow"
    if unknown := [action for action in statement.actions or ("NotAction",) if action not in permission.actions]:
        yield f"names {', '.join(unknown)}; the actions of {permission.name} are {', '.join(permission.actions)}"
    if statement.resources != (row.arn,):
        yield f"must name the resource {row.arn} and no other"
    if strangers := [name.value for name in names if name.kind != "AWS" or not (name.value == "*" or _ACCOUNT.fullmatch(name.value))]:
        yield f"names the principal {strangers[0]}: accounts can be named, and * with a condition on the organization"
    if any(not _is_within(condition) for condition in statement.conditions):
        yield "has other conditions than StringEquals and StringLike on aws:PrincipalOrgID and aws:PrincipalOrgPaths of one organization"
    if any(name.value == "*" for name in names) and not statement.conditions:
        yield "is for everyone: name accounts, or add a condition on the organization"


def _is_within(condition: Condition) -> bool:
    operator, form = condition.operator, _WITHIN.get(condition.key.lower())
    known = operator.name in ("StringEquals", "StringLike") and operator.quantifier is not Quantifier.ALL and not operator.if_exists
    return known and form is not None and all(form.fullmatch(value) for value in condition.values)
