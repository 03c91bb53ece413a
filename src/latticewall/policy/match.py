"""Compiled tests of a statement's elements: what a policy's text says, prepared once, asked many times.

Pages followed: IAM User Guide, "IAM JSON policy elements" Principal, NotPrincipal, Action, Resource, Condition; "Creating a condition with
multiple keys or values". Where AWS is silent: a multi-valued key tested without a set operator satisfies a Deny if any value does, and
an Allow only if it holds exactly one value, so that repeating a query parameter can neither escape a Deny nor earn an Allow.

Each function here turns an element into a closure: a decision takes a few microseconds, and looking up attributes would be half of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from latticewall.policy.decision import Grant
from latticewall.policy.document import Condition, Effect, PrincipalName
from latticewall.policy.operators import Comparison, Quantifier, Reading
from latticewall.policy.pattern import Pattern, Template, Variable, Wild, constant, has_variables, parse_template, resolve, split_arn, text_test
from latticewall.policy.request import Principal, Request, canonical_key

Values: TypeAlias = Mapping[str, "str | tuple[str, ...]"]
TextTest: TypeAlias = Callable[[str], bool]
ResourceTest: TypeAlias = Callable[[Request], bool]
ConditionTest: TypeAlias = Callable[[Values], bool]
ValueOf: TypeAlias = Callable[[str], "str | None"]
GrantOf: TypeAlias = Callable[[Principal], "Grant | None"]


def action_test(patterns: Iterable[str]) -> TextTest:
    """`service:Name` patterns against an action in lower case."""
    lowered = {pattern.lower() for pattern in patterns}
    exact = {pattern for pattern in lowered if not set("*?") & set(pattern)}
    tests = [text_test(_constant(pattern)) for pattern in sorted(lowered - exact)]
    return lambda action: action in exact or any(test(action) for test in tests)


def _constant(text: str) -> Pattern:
    return constant(parse_template(text, wildcards=True, variables=False)) or ()


def resource_test(patterns: tuple[str, ...], variables: bool) -> ResourceTest:
    """Whether one of the patterns matches the resource: segment-wise if it is an ARN of six segments, else over the whole text."""
    exact: set[str] = set()
    prefixes: list[str] = []
    tests: list[ResourceTest] = []
    for text in patterns:
        template = parse_template(text, wildcards=True, variables=variables)
        match constant(template):
            # A literal beginning holds the first five colons of an ARN of six segments, so comparing it whole compares segment-wise too.
            case ():
                exact.add("")
            case (str() as literal,):
                exact.add(literal)
            case (str() as literal, Wild.ANY):
                prefixes.append(literal)
            case _:
                tests.append(_pattern_test(template))
    beginnings = tuple(prefixes)
    if not tests:
        return lambda request: request.resource in exact or request.resource.startswith(beginnings)
    if len(tests) == 1 and not exact and not beginnings:
        return tests[0]
    return lambda request: request.resource in exact or request.resource.startswith(beginnings) or any(test(request) for test in tests)


def not_resource_test(patterns: tuple[str, ...], variables: bool, effect: Effect) -> ResourceTest:
    """Whether no pattern matches the resource. What an Allow leaves out must be known: with a variable that has no value it would leave out
    nothing, so such a statement does not apply."""
    listed = resource_test(patterns, variables)
    needed = template_variables(patterns) if variables and effect is Effect.ALLOW else ()
    if not needed:
        return lambda request: not listed(request)
    return lambda request: not listed(request) and all(request.variable(key) is not None for key in needed)


def template_variables(texts: Iterable[str]) -> tuple[str, ...]:
    """The variables without default in texts of a policy."""
    templates = (parse_template(text, wildcards=True, variables=True) for text in texts)
    return tuple(piece.key for template in templates for piece in template if isinstance(piece, Variable) and piece.default is None)


def _pattern_test(template: Template) -> ResourceTest:
    segments = split_arn(template)
    if segments is None:
        pattern = constant(template)
        if pattern is None:
            test_with = _template_test(template)
            return lambda request: test_with(request.values)(request.resource)
        whole = text_test(pattern)
        return lambda request: whole(request.resource)
    # a beginning of whole literal segments is compared at once: it holds its own colons, and so separates as the segments do
    literal = 0
    while literal < 5 and len(segments[literal]) == 1 and isinstance(segments[literal][0], str):
        literal += 1
    beginning = "".join(f"{segment[0]}:" for segment in segments[:literal])
    others = [(index, segment) for index, segment in enumerate(segments) if index >= literal and segment != (Wild.ANY,)]
    fixed = [(index, text_test(constant(segment) or ())) for index, segment in others if not has_variables(segment)]
    open_ = [(index, _template_test(segment)) for index, segment in others if has_variables(segment)]

    def matches(request: Request) -> bool:
        if not request.resource.startswith(beginning):
            return False
        given = request.resource_segments
        if not given:
            return False
        for index, test in fixed:
            if not test(given[index]):
                return False
        return not open_ or all(test_with(request.values)(given[index]) for index, test_with in open_)

    return matches


def _template_test(template: Template) -> Callable[[Values], TextTest]:
    """The test of a template, given a request's values. Tests are remembered by what the variables stand for, which is little (the tags of the callers)
    unless someone makes it much: so not many, and no long ones. A variable without value, or with several, makes it match nothing."""
    keys = [canonical_key(piece.key) for piece in template if isinstance(piece, Variable)]
    remembered: dict[tuple[str | tuple[str, ...] | None, ...], TextTest] = {}

    def test_with(values: Values) -> TextTest:
        given = tuple([values.get(key) for key in keys])
        test = remembered.get(given)
        if test is None:
            test = _resolved_test(template, _value_in(values))
            if len(remembered) >= 64:
                remembered.clear()
            if all(value is None or (isinstance(value, str) and len(value) <= 256) for value in given):
                remembered[given] = test
        return test

    return test_with


def _resolved_test(template: Template, value_of: ValueOf) -> TextTest:
    pattern = resolve(template, value_of)
    return _nothing if pattern is None else text_test(pattern)


def _nothing(_: str) -> bool:
    return False


def grant_test(names: Iterable[PrincipalName]) -> GrantOf:
    """The closest entry of a Principal element that names the principal, None if none does."""
    listed = tuple(names)
    aws = [name.value for name in listed if name.kind == "AWS"]
    everyone = Grant.EVERYONE if "*" in aws else None
    accounts = frozenset(account for account in map(account_of, aws) if account)
    themselves = frozenset(name for name in aws if name != "*" and not account_of(name))
    services = frozenset(name.value for name in listed if name.kind == "Service")
    providers = frozenset(name.value for name in listed if name.kind == "Federated")

    def grant(principal: Principal) -> Grant | None:
        if services and any(service in services or "*" in services for service in principal.services):
            return Grant.DIRECT
        if providers and principal.type == "Federated" and principal.provider and (principal.provider in providers or "*" in providers):
            return Grant.DIRECT
        if principal.arn and principal.type != "Anonymous":
            if principal.arn in themselves or principal.userid in themselves:
                return Grant.DIRECT
            if principal.role_arn and (principal.role_arn in themselves or principal.userid.partition(":")[0] in themselves):
                return Grant.ROLE
            if principal.account in accounts:
                return Grant.ACCOUNT
        return everyone

    return grant


def exemption_test(names: Iterable[PrincipalName]) -> GrantOf:
    """NotPrincipal: everyone whom no entry names. An account entry exempts only that account's root user, as AWS asks to list it beside each
    exempted user or role."""
    listed = tuple(names)
    named = grant_test(listed)
    all_exempt = PrincipalName("AWS", "*") in listed

    def grant(principal: Principal) -> Grant | None:
        closest = named(principal)
        exempt = all_exempt or (closest is not None and (closest is not Grant.ACCOUNT or principal.type == "Account"))
        return None if exempt else Grant.EVERYONE

    return grant


def account_of(name: str) -> str:
    """The account an entry delegates to (`123456789012` or `arn:aws:iam::123456789012:root`), "" if it names something else."""
    if len(name) == 12 and name.isascii() and name.isdigit():
        return name
    segments = name.split(":", 5)
    return segments[4] if len(segments) == 6 and segments[2] == "iam" and segments[5] == "root" else ""


def condition_test(condition: Condition, variables: bool, effect: Effect) -> ConditionTest:
    """One operator on one key, for a statement of this effect."""
    key = canonical_key(condition.key)
    operator = condition.operator
    if operator.name == "Null":
        absence = {text.lower() == "true" for text in condition.values}
        return lambda values: (values.get(key) is None) in absence
    comparison = operator.comparison
    wildcards = comparison.reading in (Reading.PATTERN, Reading.ARN)
    templates = [parse_template(text, wildcards=wildcards, variables=variables and comparison.variables) for text in condition.values]
    fits = _fits(comparison, [template for template in templates if not has_variables(template)], _no_value)
    open_ = [template for template in templates if has_variables(template)]
    wanted = not operator.negated
    quantifier = operator.quantifier
    if_missing = quantifier is Quantifier.ALL or (quantifier is Quantifier.ONE and (operator.negated or operator.if_exists))
    any_value = quantifier is Quantifier.ANY or effect is Effect.DENY

    def holds(values: Values) -> bool:
        given = values.get(key)
        if given is None:
            return if_missing
        fit = fits if not open_ else _any([fits, _fits(comparison, open_, _value_in(values))])
        if isinstance(given, str):
            return fit(given) is wanted or (given == "" and quantifier is Quantifier.ALL)
        if quantifier is Quantifier.ALL:
            return given == ("",) or all(fit(value) is wanted for value in given)
        return any(fit(value) is wanted for value in given) if any_value else len(given) == 1 and fit(given[0]) is wanted

    return holds


def _fits(comparison: Comparison, templates: list[Template], value_of: ValueOf) -> TextTest:
    """Whether one of the policy's values fits a value of the request, in the positive sense of the operator. A value whose variable has none
    itself matches nothing."""
    if comparison.reading is Reading.ARN:
        return _any([_arn_test(template, value_of) for template in templates])
    patterns = [pattern for template in templates if (pattern := resolve(template, value_of)) is not None]
    if comparison.reading is Reading.PATTERN:
        return _any([text_test(pattern) for pattern in patterns])
    asked = [comparison.parse_policy("".join(piece for piece in pattern if isinstance(piece, str))) for pattern in patterns]
    read = comparison.parse_request
    if comparison.reading is Reading.TEXT:
        texts = frozenset(asked)
        return texts.__contains__ if read("A") == "A" else lambda given: read(given) in texts
    return _value_test(comparison, [value for value in asked if value is not None])


def _any(tests: list[TextTest]) -> TextTest:
    return tests[0] if len(tests) == 1 else lambda given: any(test(given) for test in tests)


def _arn_test(template: Template, value_of: ValueOf) -> TextTest:
    """Six segments compared separately; a pattern that is no ARN matches nothing. Only colons of the policy's text separate."""
    tests = [_resolved_test(segment, value_of) for segment in split_arn(template) or ()]

    def matches(given: str) -> bool:
        parts = given.split(":", 5)
        return len(parts) == len(tests) and all(test(part) for test, part in zip(tests, parts, strict=True))

    return matches


def _value_test(comparison: Comparison, asked: list[Any]) -> TextTest:
    """Parsed values."""
    read, holds = comparison.parse_request, comparison.holds

    def fits(given: str) -> bool:
        value = read(given)
        return value is not None and any(holds(own, value) for own in asked)

    # requests that arrive together share most of their addresses, dates and numbers
    fits_short = lru_cache(maxsize=256)(fits)
    return lambda given: fits_short(given) if len(given) <= 64 else fits(given)


def _value_in(values: Values) -> ValueOf:
    """What variables stand for; multi-valued keys have no text."""

    def value_of(key: str) -> str | None:
        value = values.get(canonical_key(key))
        return value if isinstance(value, str) else None

    return value_of


def _no_value(_: str) -> None:
    return None
