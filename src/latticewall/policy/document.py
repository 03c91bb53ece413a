"""Policies as written: JSON text -> frozen statements, with refusals that name the element at fault.

Page followed: IAM User Guide, "Grammar of the IAM JSON policy language"; Lattice's form: VPC Lattice User Guide, "Control access to VPC Lattice
services using auth policies". Stricter than AWS in two places, both so that a mistake cannot pass as a grant: `NotPrincipal` with
`Allow` is refused, and so is a condition value that its operator can never read (an address that is none).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, NoReturn

from latticewall.base.faults import Invalid
from latticewall.policy.operators import Operator, Reading, parse_operator
from latticewall.policy.pattern import constant, parse_template


class Form(Enum):
    """Where a policy is attached, which decides what it may and must contain."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"
    AUTH = "auth"


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


AUTH_POLICY_LIMIT = 10_240
"""Bytes of an auth policy ("Quotas for Amazon VPC Lattice": 10 KB)."""
_TEXT_LIMIT = 131_072
_VERSIONS = ("2008-10-17", "2012-10-17")
_TOP = {"Version", "Id", "Statement"}
_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"),
}
_PRINCIPAL_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")
_VENDOR = re.compile(r"[A-Za-z0-9-]+\Z")
_ACCOUNT = re.compile(r"\d{12}\Z")
_UNIQUE_ID = re.compile(r"A(IDA|ROA)[A-Z0-9]{8,}\Z")
_PRINCIPAL_ARN = re.compile(
    r"arn:aws[a-z-]*:(iam::\d{12}:(root|(user|role)/[^*?]+)|sts::\d{12}:(assumed-role/[^/*?]+/[^/*?]+|federated-user/[^*?]+))\Z"
)
_SPACE_OR_STRING = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


class _Text(str):
    """A number or boolean of the document, kept as JSON spells it; only condition values may be one."""

    __slots__ = ()


def minify(text: str) -> str:
    """The same JSON without insignificant whitespace; order, escapes and spelling untouched (what GetAuthPolicy answers)."""
    return _SPACE_OR_STRING.sub(lambda found: found[1] or "", text)


def policy_size(text: str) -> int:
    """Characters as IAM counts them against its limits: without insignificant whitespace."""
    return len(minify(text))


def parse_policy(text: str, form: Form, name: str = "") -> Policy:
    """Read a policy. Raises Invalid: MalformedPolicyDocument, or for the auth form ValidationException with the field at fault."""
    return _Parser(form).policy(text, name)


class _Parser:
    """Reads one document; every refusal says where."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def refuse(self, sentence: str, where: str = "", reason: str = "fieldValidationFailed") -> NoReturn:
        message = f"{sentence} ({where})" if where else sentence
        if self.form is not Form.AUTH:
            raise Invalid(message, code="MalformedPolicyDocument")
        raise Invalid(message, code="ValidationException", fields=(("policy", message),), members={"reason": reason})

    def policy(self, text: str, name: str) -> Policy:
        document = self.read(text)
        if unknown := sorted(set(document) - _TOP):
            self.refuse("Syntax errors in policy.", f"unknown element {unknown[0]}")
        version = document.get("Version", _VERSIONS[0])
        if version not in _VERSIONS:
            self.refuse("Policy document must be version 2012-10-17 or greater.", f"Version is {_quoted(version)}")
        identity = document.get("Id", "")
        if type(identity) is not str or ("Id" in document and self.form is Form.IDENTITY):
            self.refuse("Syntax errors in policy.", "Id is not allowed here" if self.form is Form.IDENTITY else "Id must be a string")
        written = document.get("Statement")
        statements = [written] if isinstance(written, dict) else written
        if not isinstance(statements, list) or not statements:
            self.refuse("Syntax errors in policy.", "Statement must be a statement or a list of statements")
        parsed = tuple(self.statement(index, item) for index, item in enumerate(statements))
        if self.form in (Form.IDENTITY, Form.TRUST):
            sids = [statement.sid for statement in parsed if statement.sid]
            if len(sids) != len(set(sids)):
                repeated = next(sid for sid in sids if sids.count(sid) > 1)
                self.refuse("Statement IDs (SID) in a single policy must be unique.", f"Sid {_quoted(repeated)}")
        return Policy(self.form, parsed, version, identity, name)

    def read(self, text: str) -> dict[str, Any]:
        """The JSON object, with duplicate names, non-standard numbers and oversize refused."""
        limit = AUTH_POLICY_LIMIT if self.form is Form.AUTH else _TEXT_LIMIT
        if len(minify(text).encode("utf-8", "surrogatepass")) > limit:
            self.refuse(f"The policy is larger than {limit} bytes.")
        try:
            document = json.loads(text, object_pairs_hook=self.unique, parse_int=_Text, parse_float=_Text, parse_constant=self.constant)
        except json.JSONDecodeError as error:
            self.refuse("Syntax errors in policy.", f"line {error.lineno} column {error.colno}: {error.msg}", "cannotParse")
        except RecursionError:
            self.refuse("Syntax errors in policy.", "nested too deeply", "cannotParse")
        if not isinstance(document, dict):
            self.refuse("Syntax errors in policy.", "the document must be a JSON object", "cannotParse")
        return document

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names = [name for name, _ in pairs]
            self.refuse("Syntax errors in policy.", f"duplicate element {next(name for name in names if names.count(name) > 1)}", "cannotParse")
        return members

    def constant(self, word: str) -> NoReturn:
        self.refuse("Syntax errors in policy.", f"{word} is not JSON", "cannotParse")

    def statement(self, index: int, item: Any) -> Statement:
        where = f"Statement[{index}]"
        if not isinstance(item, dict):
            self.refuse("Syntax errors in policy.", f"{where} must be an object")
        if unknown := sorted(set(item) - _ELEMENTS):
            self.refuse("Syntax errors in policy.", f"{where} has unknown element {unknown[0]}")
        for element in ("Action", "Resource", "Principal"):
            if element in item and f"Not{element}" in item:
                self.refuse("Syntax errors in policy.", f"{where} has both {element} and Not{element}")
        effect = item.get("Effect")
        if effect not in ("Allow", "Deny"):
            self.refuse("Syntax errors in policy.", f"{where}.Effect must be Allow or Deny, not {_quoted(effect)}")
        actions, not_actions = self.pair(item, "Action", where, "Policy statement must contain actions.")
        self.check_actions((*(actions or ()), *(not_actions or ())), where)
        resources, not_resources = self.resources(item, where)
        principals, not_principals = self.principals(item, effect, where)
        return Statement(
            index,
            self.sid(item, where),
            Effect(effect),
            actions,
            not_actions,
            resources,
            not_resources,
            principals,
            not_principals,
            self.conditions(item.get("Condition", {}), f"{where}.Condition"),
        )

    def sid(self, item: dict[str, Any], where: str) -> str:
        sid = item.get("Sid", "")
        if type(sid) is not str:
            self.refuse("Syntax errors in policy.", f"{where}.Sid must be a string")
        if self.form is Form.IDENTITY and not re.fullmatch(r"[0-9A-Za-z]*", sid):
            sentence = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
            self.refuse(sentence, f"{where}.Sid {_quoted(sid)}")
        return sid

    def pair(
        self, item: dict[str, Any], element: str, where: str, missing: str
    ) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """The texts of Element and of NotElement; one of them must be there and not be empty."""
        found = {name: self.texts(item[name], f"{where}.{name}") for name in (element, f"Not{element}") if name in item}
        if not any(found.values()):
            self.refuse(missing, where)
        return found.get(element), found.get(f"Not{element}")

    def texts(self, value: Any, where: str) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        for text in values:
            if type(text) is not str:
                self.refuse("Syntax errors in policy.", f"{where} must be a string or a list of strings")
            self.check_text(text, where)
        return tuple(values)

    def check_text(self, text: str, where: str) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            self.refuse("Syntax errors in policy.", f"{where} holds half a surrogate pair")

    def check_actions(self, actions: Iterable[str], where: str) -> None:
        for action in actions:
            if action == "*" and self.form is not Form.TRUST:
                continue
            vendor, colon, name = action.partition(":")
            if self.form is Form.TRUST and vendor.lower() != "sts":
                self.refuse("AssumeRole policy may only specify STS AssumeRole actions.", f"{where}: {action}")
            if not colon or not name:
                self.refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", f"{where}: {action}")
            if ":" in name:
                self.refuse("Actions/Condition can contain only one colon.", f"{where}: {action}")
            if not _VENDOR.match(vendor):
                self.refuse(f"Vendor {vendor} is not valid", f"{where}: {action}")

    def resources(self, item: dict[str, Any], where: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        if self.form is Form.TRUST:
            for element in ("Resource", "NotResource"):
                if element in item:
                    self.refuse(f"Has prohibited field {element}.", where)
            return None, None
        resources, not_resources = self.pair(item, "Resource", where, "Policy statement must contain resources.")
        if self.form is Form.IDENTITY:
            for resource in (*(resources or ()), *(not_resources or ())):
                whole = resource.count(":") >= 5 or resource.endswith("*")
                if resource != "*" and not (resource.startswith("arn:") and whole):
                    self.refuse(f'Resource {resource} must be in ARN format or "*".', where)
        return resources, not_resources

    def principals(
        self, item: dict[str, Any], effect: str, where: str
    ) -> tuple[tuple[PrincipalName, ...] | None, tuple[PrincipalName, ...] | None]:
        present = [element for element in ("Principal", "NotPrincipal") if element in item]
        if self.form is Form.IDENTITY:
            if present:
                self.refuse("Policy document should not specify a principal.", f"{where}.{present[0]}")
            return None, None
        if not present:
            self.refuse("Missing required field Principal", where)
        names = self.principal_names(item[present[0]], f"{where}.{present[0]}")
        if present[0] == "Principal":
            return names, None
        if effect == "Allow":
            self.refuse("NotPrincipal is only supported with Effect Deny: with Allow it would admit anonymous callers.", where)
        return None, names

    def principal_names(self, value: Any, where: str) -> tuple[PrincipalName, ...]:
        if value == "*":
            return (PrincipalName("AWS", "*"),)
        if not isinstance(value, dict) or not value:
            self.refuse("Invalid principal in policy.", f'{where} must be "*" or an object such as {{"AWS": ...}}')
        names: list[PrincipalName] = []
        for kind, listed in value.items():
            if kind not in _PRINCIPAL_KINDS:
                self.refuse(f"Invalid principal in policy: {_quoted(kind)}", where)
            for name in self.texts(listed, f"{where}.{kind}"):
                self.check_principal(kind, name, where)
                names.append(PrincipalName(kind, name))
        if not names:
            self.refuse("Invalid principal in policy.", f"{where} names nobody")
        return tuple(names)

    def check_principal(self, kind: str, name: str, where: str) -> None:
        if kind == "AWS":
            valid = name == "*" or any(form.match(name) for form in (_ACCOUNT, _UNIQUE_ID, _PRINCIPAL_ARN))
        else:
            valid = bool(name) and (name == "*" or not set(name) & set("*?"))
        if not valid:
            self.refuse(f'Invalid principal in policy: "{kind}":"{name}"', where)

    def conditions(self, block: Any, where: str) -> tuple[Condition, ...]:
        if not isinstance(block, dict):
            self.refuse("Syntax errors in policy.", f"{where} must be an object")
        conditions: list[Condition] = []
        for written, keys in block.items():
            operator = parse_operator(written)
            if operator is None:
                self.refuse(f"Invalid Condition type : {written}.", where)
            if not isinstance(keys, dict):
                self.refuse("Syntax errors in policy.", f"{where}.{written} must be an object")
            conditions.extend(Condition(operator, key, self.values(operator, key, value, where)) for key, value in keys.items())
        return tuple(conditions)

    def values(self, operator: Operator, key: str, value: Any, where: str) -> tuple[str, ...]:
        here = f"{where}.{operator}.{key}"
        if ":" not in key:
            self.refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", here)
        written = value if isinstance(value, list) else [value]
        values = tuple(("true" if item else "false") if isinstance(item, bool) else item for item in written)
        if not values:
            self.refuse("Syntax errors in policy.", f"{here} has no values")
        for text in values:
            if not isinstance(text, str):
                self.refuse("Syntax errors in policy.", f"{here} must hold strings, numbers or booleans")
            self.check_text(text, here)
            self.check_readable(operator, text, here)
        return tuple(str(text) for text in values)

    def check_readable(self, operator: Operator, text: str, where: str) -> None:
        comparison = operator.comparison
        if comparison.reading is not Reading.VALUE or (comparison.variables and constant(_template(text)) is None):
            return
        if comparison.parse_policy(text) is None:
            self.refuse(f"Invalid value for condition operator {operator}: {_quoted(text)}", where)


def _template(text: str) -> Any:
    return parse_template(text, wildcards=False, variables=True)


def _quoted(value: Any) -> str:
    return json.dumps(value, default=str)
