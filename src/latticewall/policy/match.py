"""Compiled matchers of a statement's elements: what a policy's text says, prepared once, asked many times.

Pages followed: IAM User Guide, "IAM JSON policy elements" Principal, NotPrincipal, Action, Resource, Condition; "Creating a condition with
multiple keys or values". Where AWS is silent: a multi-valued key tested without a set operator satisfies a Deny if any value does, and
an Allow only if it holds exactly one value, so that repeating a query parameter can neither escape a Deny nor earn an Allow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from latticewall.policy.decision import Grant
from latticewall.policy.document import Condition, Effect, PrincipalName
from latticewall.policy.operators import Comparison, Quantifier, Reading
from latticewall.policy.pattern import Glob, Pattern, Template, constant, has_variables, parse_template, resolve, split_arn
from latticewall.policy.request import Principal, Request, canonical_key


class ActionMatcher:
    """`service:Name` patterns, ignoring case."""

    __slots__ = ("_globs", "exact")

    def __init__(self, patterns: Iterable[str]) -> None:
        lowered = {pattern.lower() for pattern in patterns}
        self.exact = frozenset(pattern for pattern in lowered if not set("*?") & set(pattern))
        self._globs = tuple(Glob(_constant(pattern)) for pattern in sorted(lowered - self.exact))

    @property
    def only_exact(self) -> bool:
        return not self._globs

    def matches(self, action_lower: str) -> bool:
        return action_lower in self.exact or any(glob.matches(action_lower) for glob in self._globs)


def _constant(text: str) -> Pattern:
    return constant(parse_template(text, wildcards=True, variables=False)) or ()


class ResourceMatcher:
    """One resource pattern: segment-wise if it is an ARN of six segments, else over the whole text; case-sensitive."""

    __slots__ = ("_glob", "_segments", "_template", "_whole")

    def __init__(self, text: str, variables: bool) -> None:
        template = parse_template(text, wildcards=True, variables=variables)
        self._segments = split_arn(template)
        self._whole = template
        self._template = has_variables(template)
        self._glob = None if self._template else self._compile(None)

    def _compile(self, request: Request | None) -> tuple[Glob, ...] | None:
        """Globs of the segments (or of the whole); None if a variable of the request has no value."""
        globs: list[Glob] = []
        for template in self._segments or (self._whole,):
            pattern = resolve(template, request.variable) if request else constant(template)
            if pattern is None:
                return None
            globs.append(Glob(pattern))
        return tuple(globs)

    def matches(self, request: Request) -> bool:
        globs = self._glob if not self._template else self._compile(request)
        if globs is None:
            return False
        if self._segments is None:
            return globs[0].matches(request.resource)
        return _segments_match(globs, request.resource_segments)


def _segments_match(globs: tuple[Glob, ...], segments: tuple[str, ...]) -> bool:
    return len(globs) == len(segments) and all(glob.matches(segment) for glob, segment in zip(globs, segments, strict=True))


class PrincipalMatcher:
    """The entries of a Principal element, indexed by what they name."""

    __slots__ = ("_accounts", "_arns", "_everyone", "_ids", "_providers", "_services")

    def __init__(self, names: Iterable[PrincipalName]) -> None:
        aws = [name.value for name in names if name.kind == "AWS"]
        self._everyone = "*" in aws
        self._accounts = frozenset(account for account in map(account_of, aws) if account)
        self._ids = frozenset(name for name in aws if name.startswith(("AIDA", "AROA")))
        self._arns = frozenset(name for name in aws if name.startswith("arn:") and not account_of(name))
        self._services = frozenset(name.value for name in names if name.kind == "Service")
        self._providers = frozenset(name.value for name in names if name.kind == "Federated")

    def grant(self, principal: Principal) -> Grant | None:
        """The closest entry that names the principal, None if none does."""
        if self._names_itself(principal):
            return Grant.DIRECT
        if not principal.is_anonymous:
            if principal.role_arn and (principal.role_arn in self._arns or principal.userid.partition(":")[0] in self._ids):
                return Grant.ROLE
            if principal.account in self._accounts:
                return Grant.ACCOUNT
        return Grant.EVERYONE if self._everyone else None

    def _names_itself(self, principal: Principal) -> bool:
        if self._services and any(service in self._services or "*" in self._services for service in principal.services):
            return True
        if principal.provider and principal.type == "Federated" and (principal.provider in self._providers or "*" in self._providers):
            return True
        return bool(principal.arn) and (principal.arn in self._arns or principal.userid in self._ids)

    def exempts(self, principal: Principal) -> bool:
        """Whether NotPrincipal leaves the principal out. An account entry exempts only that account's root user, as AWS asks to list it
        beside each exempted user or role."""
        grant = self.grant(principal)
        return self._everyone or (grant is not None and (grant is not Grant.ACCOUNT or principal.type == "Account"))


def account_of(name: str) -> str:
    """The account an entry delegates to (`123456789012` or `arn:aws:iam::123456789012:root`), "" if it names something else."""
    if len(name) == 12 and name.isdigit():
        return name
    segments = name.split(":", 5)
    return segments[4] if len(segments) == 6 and segments[2] == "iam" and segments[5] == "root" else ""


class ConditionMatcher:
    """One operator on one key, with its values prepared; values with variables are prepared per request."""

    __slots__ = ("_constant", "_key", "_operator", "_templates")

    def __init__(self, condition: Condition, variables: bool) -> None:
        self._operator = condition.operator
        self._key = canonical_key(condition.key)
        comparison = condition.operator.comparison
        self._constant: list[_Value] = []
        self._templates: list[Template] = []
        for text in condition.values:
            wildcards = comparison.reading in (Reading.PATTERN, Reading.ARN)
            template = parse_template(text, wildcards=wildcards, variables=variables and comparison.variables)
            if has_variables(template):
                self._templates.append(template)
            else:
                self._constant.append(_Value(comparison, template, constant(template) or ()))

    def holds(self, request: Request, effect: Effect) -> bool:
        """Whether the request satisfies the condition, for a statement of this effect."""
        value = request.value(self._key)
        operator = self._operator
        if operator.name == "Null":
            return any(wanted.matches("") is (value is None) for wanted in self._constant)
        if value is None:
            if operator.quantifier is Quantifier.ONE:
                return operator.negated or operator.if_exists
            return operator.quantifier is Quantifier.ALL
        values = (value,) if isinstance(value, str) else value
        wanted = self._wanted(request)
        if operator.quantifier is Quantifier.ALL:
            return values == ("",) or all(self._one(wanted, given) for given in values)
        if operator.quantifier is Quantifier.ANY or effect is Effect.DENY:
            return any(self._one(wanted, given) for given in values)
        return len(values) == 1 and self._one(wanted, values[0])

    def _wanted(self, request: Request) -> list[_Value]:
        """The policy's values for this request; one whose variable has no value matches nothing and is left out."""
        if not self._templates:
            return self._constant
        resolved = [(template, resolve(template, request.variable)) for template in self._templates]
        comparison = self._operator.comparison
        return self._constant + [
            _Value(comparison, template, pattern, request) for template, pattern in resolved if pattern is not None
        ]

    def _one(self, wanted: list[_Value], given: str) -> bool:
        return any(value.matches(given) for value in wanted) != self._operator.negated


class _Value:
    """A policy's value, ready to be compared with a request's."""

    __slots__ = ("_asked", "_comparison", "_globs")

    def __init__(self, comparison: Comparison, template: Template, pattern: Pattern, request: Request | None = None) -> None:
        self._comparison = comparison
        self._globs: tuple[Glob, ...] | None = None
        self._asked: Any = None
        if comparison.reading is Reading.PATTERN:
            self._globs = (Glob(pattern),)
        elif comparison.reading is Reading.ARN:
            segments = split_arn(template)
            value_of = request.variable if request else _no_variable
            patterns = [resolve(segment, value_of) for segment in segments or ()]
            self._globs = tuple(Glob(part) for part in patterns if part is not None)
        else:
            self._asked = comparison.parse_policy("".join(piece for piece in pattern if isinstance(piece, str)))

    def matches(self, given: str) -> bool:
        if self._comparison.reading is Reading.PATTERN:
            return bool(self._globs) and self._globs is not None and self._globs[0].matches(given)
        if self._comparison.reading is Reading.ARN:
            segments = tuple(given.split(":", 5))
            return len(segments) == 6 and segments[0] == "arn" and _segments_match(self._globs or (), segments)
        return self._asked is not None and self._compare(given)

    def _compare(self, given: str) -> bool:
        read = self._comparison.parse_request(given)
        return read is not None and self._comparison.holds(self._asked, read)


def _no_variable(_: str) -> None:
    return None
