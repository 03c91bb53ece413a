"""Policies as written: JSON text -> frozen statements, with refusals that name the element at fault and where in the text it stands.

Pages followed: IAM User Guide, "Grammar of the IAM JSON policy language"; VPC Lattice User Guide, "Control access to VPC Lattice services using
auth policies"; AWS Organizations User Guide, "SCP syntax" and "RCP syntax". Stricter than AWS where a mistake could pass as a grant:
`NotPrincipal` with `Allow` is refused, and so are a condition value that its operator can never read (an address that is none), an empty list of
values and a condition key without prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from latticewall.base.faults import Invalid
from latticewall.policy import elements
from latticewall.policy.elements import SYNTAX, quoted
from latticewall.policy.operators import Operator
from latticewall.policy.source import TEXT_LIMIT, Path, Places, Refusal, line_and_column, load, minify, spell

__all__ = [
    "AUTH_POLICY_LIMIT",
    "Condition",
    "Effect",
    "Form",
    "Malformed",
    "Policy",
    "PrincipalName",
    "Statement",
    "minify",
    "parse_policy",
    "policy_size",
]


class Form(Enum):
    """Where a policy is attached, which decides what it may and must contain."""

    IDENTITY = "identity"
    """Inline policies, session policies, and managed ones as they are evaluated."""
    MANAGED = "managed"
    """A managed policy as it is written: an identity policy whose Version must be 2012-10-17."""
    RESOURCE = "resource"
    TRUST = "trust"
    AUTH = "auth"
    SERVICE_CONTROL = "service control"
    RESOURCE_CONTROL = "resource control"


class Effect(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True)
class PrincipalName:
    """One entry of a Principal element. kind: AWS, Service, Federated or CanonicalUser; everyone is AWS "*"."""

    kind: str
    value: str


@dataclass(frozen=True)
class Condition:
    """One operator on one key. values are texts; numbers and booleans as JSON wrote them."""

    operator: Operator
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """One statement; an element that is absent is None, and of each pair (X, NotX) at most one is present."""

    index: int
    sid: str
    effect: Effect
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    principals: tuple[PrincipalName, ...] | None = None
    not_principals: tuple[PrincipalName, ...] | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A parsed policy. name: how decisions refer to it (chosen by the caller). version decides whether `${...}` is a variable."""

    form: Form
    statements: tuple[Statement, ...]
    version: str = "2008-10-17"
    id: str = ""
    name: str = ""

    @property
    def variables(self) -> bool:
        return self.version == "2012-10-17"


class Malformed(Invalid):
    """A policy that cannot be one. path: the element at fault (`Statement[0].Effect`, "" for the whole document). line, column: where in the
    text, from 1."""

    path: str = ""
    line: int = 1
    column: int = 1


AUTH_POLICY_LIMIT = 10_240
"""Bytes of an auth policy ("Quotas for Amazon VPC Lattice": 10 KB)."""
_VERSIONS = ("2008-10-17", "2012-10-17")
_TOP = {"Version", "Id", "Statement"}
_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"),
}
_IDENTITY_LIKE = (Form.IDENTITY, Form.MANAGED, Form.SERVICE_CONTROL)
"""No principal; resources are ARNs."""
_NEWEST_VERSION_ONLY = (Form.MANAGED, Form.SERVICE_CONTROL, Form.RESOURCE_CONTROL)
_UNIQUE_SIDS = (*_IDENTITY_LIKE, Form.TRUST)
_EVERYONE = (PrincipalName("AWS", "*"),)


def policy_size(text: str) -> int:
    """Characters as IAM counts them against its limits: without insignificant whitespace."""
    return len(minify(text))


def parse_policy(text: str, form: Form, name: str = "") -> Policy:
    """Read a policy. Raises Malformed: MalformedPolicyDocument, or for the auth form ValidationException with the field at fault. What is refused
    first follows IAM: JSON and shapes of all statements, the version, values, resources, actions, then what is missing."""
    try:
        if form is Form.AUTH and (len(text) > TEXT_LIMIT or len(minify(text).encode("utf-8", "surrogatepass")) > AUTH_POLICY_LIMIT):
            raise Refusal(f"The policy is larger than {AUTH_POLICY_LIMIT} bytes.")
        return _Parser(form).policy(load(text), name)
    except Refusal as refusal:
        raise _malformed(text, form, refusal) from None


def _malformed(text: str, form: Form, refusal: Refusal) -> Malformed:
    """The refusal as a fault that says where."""
    offset = Places(text).offset(refusal.path, at_name=refusal.at_name) if refusal.offset is None and refusal.path else refusal.offset
    line, column = line_and_column(text, offset or 0)
    place = f"line {line} column {column}"
    detail = f"{place}: {refusal.detail}" if refusal.detail and offset is not None else refusal.detail or (place if refusal.path else "")
    message = f"{refusal.sentence} ({detail})" if detail else refusal.sentence
    if form is Form.AUTH:
        reason = "cannotParse" if not refusal.path and refusal.detail else "fieldValidationFailed"
        fault = Malformed(message, code="ValidationException", fields=(("policy", message),), members={"reason": reason})
    else:
        fault = Malformed(message, code="MalformedPolicyDocument")
    fault.path, fault.line, fault.column = spell(refusal.path), line, column
    return fault


class _Parser:
    """Reads one document. `later` holds refusals that wait until the shape of everything is known to be right."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.later: list[Refusal] = []

    def policy(self, document: Any, name: str) -> Policy:
        if not isinstance(document, dict):
            raise Refusal(SYNTAX, detail="the document must be a JSON object", offset=0)
        if unknown := sorted(set(document) - _TOP):
            raise Refusal(SYNTAX, (unknown[0],), f"unknown element {unknown[0]}", at_name=True)
        version = document.get("Version", _VERSIONS[0])
        if version not in _VERSIONS:
            raise Refusal(SYNTAX, ("Version",), f"Version is {quoted(version)}, which is neither 2012-10-17 nor 2008-10-17")
        identity = document.get("Id", "")
        if type(identity) is not str:
            raise Refusal(SYNTAX, ("Id",), "Id must be a string")
        written = document.get("Statement")
        statements = [written] if isinstance(written, dict) else written
        if not isinstance(statements, list) or not statements:
            raise Refusal(SYNTAX, ("Statement",), "Statement must be a statement or a list of statements")
        parsed = tuple(self.statement(index, item) for index, item in enumerate(statements))
        if self.form in _NEWEST_VERSION_ONLY and version != _VERSIONS[1]:
            detail = f"Version is {quoted(version)}" if "Version" in document else "Version is missing"
            raise Refusal("Policy document must be version 2012-10-17 or greater.", ("Version",), detail)
        if self.later:
            raise self.later[0]
        self.check(parsed)
        return Policy(self.form, parsed, version, identity, name)

    def statement(self, index: int, item: Any) -> Statement:
        """The shape of one statement; absent and empty elements are left to `check`."""
        here: Path = ("Statement", index)
        where = spell(here)
        if not isinstance(item, dict):
            raise Refusal(SYNTAX, here, f"{where} must be an object")
        if unknown := sorted(set(item) - _ELEMENTS):
            raise Refusal(SYNTAX, (*here, unknown[0]), f"{where} has unknown element {unknown[0]}", at_name=True)
        for element in ("Action", "Resource", "Principal"):
            if element in item and f"Not{element}" in item:
                raise Refusal(SYNTAX, (*here, f"Not{element}"), f"{where} has both {element} and Not{element}", at_name=True)
        sid = item.get("Sid", "")
        if type(sid) is not str:
            raise Refusal(SYNTAX, (*here, "Sid"), f"{where}.Sid must be a string")
        effect = self.effect(item.get("Effect"), (*here, "Effect"))
        texts = {name: self.texts(item[name], (*here, name)) for name in ("Action", "NotAction", "Resource", "NotResource") if name in item}
        conditions = self.conditions(item.get("Condition", {}), (*here, "Condition"))
        principals, not_principals = self.principals(item, effect, here)
        return Statement(
            index,
            sid,
            effect,
            texts.get("Action"),
            texts.get("NotAction"),
            texts.get("Resource"),
            texts.get("NotResource"),
            principals,
            not_principals,
            conditions,
        )

    def effect(self, word: Any, here: Path) -> Effect:
        right = next((effect for effect in Effect if isinstance(word, str) and word.lower() == effect.lower()), None)
        refusal = Refusal(elements.LEGACY if right else SYNTAX, here, f"{spell(here)} must be Allow or Deny, not {quoted(word)}")
        if right is None:
            raise refusal
        if word != right:
            self.later.append(refusal)
        return right

    def texts(self, value: Any, here: Path) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        for index, text in enumerate(values):
            if type(text) is not str:
                raise Refusal(SYNTAX, (*here, index), f"{spell(here)} must be a string or a list of strings")
            elements.check_text(text, (*here, index))
        return tuple(values)

    def principals(self, item: dict[str, Any], effect: Effect, here: Path) -> tuple[tuple[PrincipalName, ...] | None, tuple[PrincipalName, ...] | None]:
        present = next((element for element in ("Principal", "NotPrincipal") if element in item), "")
        where = (*here, present)
        if self.form in _IDENTITY_LIKE:
            if present:
                raise Refusal("Policy document should not specify a principal.", where, spell(where), at_name=True)
            return None, None
        if not present:
            raise Refusal("Missing required field Principal", here, spell(here))
        names = self.principal_names(item[present], where)
        if self.form is Form.RESOURCE_CONTROL and (present, names) != ("Principal", _EVERYONE):
            raise Refusal("Invalid principal in policy.", where, f'{spell(here)} must have Principal "*" and nothing else')
        if present == "Principal":
            return names, None
        if effect is Effect.ALLOW:
            sentence = "NotPrincipal is only supported with Effect Deny: with Allow it would admit anonymous callers."
            raise Refusal(sentence, where, spell(where), at_name=True)
        return None, names

    def principal_names(self, value: Any, here: Path) -> tuple[PrincipalName, ...]:
        if value == "*":
            return _EVERYONE
        if not isinstance(value, dict) or not value:
            raise Refusal("Invalid principal in policy.", here, f'{spell(here)} must be "*" or an object such as {{"AWS": ...}}')
        names: list[PrincipalName] = []
        for kind, listed in value.items():
            if kind not in elements.PRINCIPAL_KINDS:
                raise Refusal(f"Invalid principal in policy: {quoted(kind)}", (*here, kind), spell(here), at_name=True)
            for index, name in enumerate(self.texts(listed, (*here, kind))):
                elements.check_principal(kind, name, (*here, kind, index))
                names.append(PrincipalName(kind, name))
        if not names:
            raise Refusal("Invalid principal in policy.", here, f"{spell(here)} names nobody")
        return tuple(names)

    def conditions(self, block: Any, here: Path) -> tuple[Condition, ...]:
        if not isinstance(block, dict):
            raise Refusal(SYNTAX, here, f"{spell(here)} must be an object")
        conditions: list[Condition] = []
        for written, keys in block.items():
            operator = elements.condition_operator(written, (*here, written))
            if not isinstance(keys, dict):
                raise Refusal(SYNTAX, (*here, written), f"{spell((*here, written))} must be an object")
            for key, value in keys.items():
                elements.check_condition_key(key, (*here, written, key))
                conditions.append(Condition(operator, key, self.values(operator, value, (*here, written, key))))
        return tuple(conditions)

    def values(self, operator: Operator, value: Any, here: Path) -> tuple[str, ...]:
        written = value if isinstance(value, list) else [value]
        values = tuple(("true" if item else "false") if isinstance(item, bool) else item for item in written)
        if not values:
            raise Refusal(SYNTAX, here, f"{spell(here)} has no values")
        for index, text in enumerate(values):
            if not isinstance(text, str):
                raise Refusal(SYNTAX, (*here, index), f"{spell(here)} must hold strings, numbers or booleans")
            elements.check_text(text, (*here, index))
            try:
                elements.check_readable(operator, text, (*here, index))
            except Refusal as refusal:
                self.later.append(refusal)
        return tuple(map(str, values))

    def check(self, statements: tuple[Statement, ...]) -> None:
        """What the elements hold, one element of all statements after the other."""
        if self.form in _IDENTITY_LIKE:
            for path, text in _each(statements, "Resource"):
                elements.check_resource(text, path)
        for path, action in _each(statements, "Action"):
            if self.form is Form.TRUST:
                elements.check_trust_action(action, path)
            elements.check_action(action, path)
        if self.form in _UNIQUE_SIDS:
            self.check_sids(statements)
        for statement in statements:
            self.check_presence(statement)
            if self.form is Form.RESOURCE_CONTROL:
                _check_resource_control(statement)

    def check_sids(self, statements: tuple[Statement, ...]) -> None:
        seen: set[str] = set()
        for statement in statements:
            here: Path = ("Statement", statement.index, "Sid")
            if self.form is not Form.TRUST and not re.fullmatch(r"[0-9A-Za-z]*", statement.sid):
                sentence = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
                raise Refusal(sentence, here, f"Sid {quoted(statement.sid)}")
            if statement.sid and statement.sid in seen:
                raise Refusal("Statement IDs (SID) in a single policy must be unique.", here, f"Sid {quoted(statement.sid)}")
            seen.add(statement.sid)

    def check_presence(self, statement: Statement) -> None:
        here: Path = ("Statement", statement.index)
        if not statement.actions and not statement.not_actions:
            raise Refusal("Policy statement must contain actions.", here, spell(here))
        if self.form is Form.TRUST:
            for element, texts in (("Resource", statement.resources), ("NotResource", statement.not_resources)):
                if texts is not None:
                    raise Refusal(f"Has prohibited field {element}.", (*here, element), spell(here), at_name=True)
        elif not statement.resources and not statement.not_resources:
            raise Refusal("Policy statement must contain resources.", here, spell(here))


def _each(statements: tuple[Statement, ...], element: str) -> Iterable[tuple[Path, str]]:
    """The texts of Action and NotAction, or Resource and NotResource, with their places."""
    for statement in statements:
        pair = (statement.actions, statement.not_actions) if element == "Action" else (statement.resources, statement.not_resources)
        for name, texts in ((element, pair[0]), (f"Not{element}", pair[1])):
            for index, text in enumerate(texts or ()):
                yield ("Statement", statement.index, name, index), text


def _check_resource_control(statement: Statement) -> None:
    """Only RCPFullAWSAccess allows, and only it speaks of every action; the others deny actions of services they name."""
    here: Path = ("Statement", statement.index)
    full_access = statement.actions == statement.resources == ("*",) and not statement.conditions
    if statement.effect is Effect.ALLOW:
        if not full_access:
            raise Refusal(SYNTAX, (*here, "Effect"), f"{spell(here)}.Effect must be Deny: only RCPFullAWSAccess allows")
    elif statement.actions is None:
        raise Refusal(SYNTAX, (*here, "NotAction"), f"{spell(here)}.NotAction is not allowed in a resource control policy", at_name=True)
    elif "*" in statement.actions:
        raise Refusal(elements.PREFACED, (*here, "Action"), f"{spell(here)}.Action of a resource control policy must name its service")
