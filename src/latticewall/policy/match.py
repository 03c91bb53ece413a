"""Compiled tests of a statement's elements: what a policy's text says, prepared once, asked many times.

Pages followed: IAM User Guide, "IAM JSON policy elements" Principal, NotPrincipal, Action, Resource, Condition; "Creating a condition with
multiple keys or values". Where AWS is silent: a multi-valued key tested without a set operator satisfies a Deny if any value does, and
an Allow only if it holds exactly one value, so that repeating a query parameter can neither escape a Deny nor earn an Allow.

A test is prepared in two steps: what the policy's text says by itself; then, once for all requests with the same keys (`Names`), what hangs on
which keys there are and how they are spelled. What remains for each request is a closure that looks at values only: a decision takes a few
microseconds, and looking up attributes would be half of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from latticewall.policy.decision import Grant
from latticewall.policy.document import Condition, Effect, PrincipalName
from latticewall.policy.operators import Comparison, Quantifier, Reading
from latticewall.policy.pattern import Pattern, Template, Variable, Wild, constant, has_variables, parse_template, resolve, split_arn, text_test
from latticewall.policy.request import Context, Principal, canonical_key

Names: TypeAlias = Mapping[str, str]
"""The keys that a request has: canonical -> as its context spells it."""
Value: TypeAlias = "str | tuple[str, ...] | None"
TextTest: TypeAlias = Callable[[str], bool]
ContextTest: TypeAlias = Callable[[Context], bool]
ResourceTest: TypeAlias = Callable[[str, Sequence[str], Context], bool]
"""Of a resource, its text between the first five colons and behind them, and the context."""
ValueOf: TypeAlias = Callable[[str], "str | None"]
GrantOf: TypeAlias = Callable[[Principal], "Grant | None"]
Key = TypeVar("Key")
Found = TypeVar("Found")


class _Remembered(dict[Key, Found], Generic[Key, Found]):
    """Answers already found. Callers choose what is asked: so not many are kept, and only of `small` questions."""

    def __init__(self, find: Callable[[Key], Found], small: Callable[[Key], bool]) -> None:
        super().__init__()
        self._find, self._small = find, small

    def __missing__(self, key: Key) -> Found:
        found = self._find(key)
        if self._small(key):
            if len(self) >= 256:
                self.clear()
            self[key] = found
        return found


def action_test(patterns: Iterable[str]) -> TextTest:
    """`service:Name` patterns against an action in lower case."""
    lowered = {pattern.lower() for pattern in patterns}
    exact = {pattern for pattern in lowered if not set("*?") & set(pattern)}
    tests = [text_test(_constant(pattern)) for pattern in sorted(lowered - exact)]
    return lambda action: action in exact or any(test(action) for test in tests)


def _constant(text: str) -> Pattern:
    return constant(parse_template(text, wildcards=True, variables=False)) or ()


def resource_test(patterns: tuple[str, ...], variables: bool) -> Callable[[Names], ResourceTest]:
    """Whether one of the patterns matches the resource: segment-wise if it is an ARN of six segments, else over the whole text."""
    exact: set[str] = set()
    prefixes: list[str] = []
    tests: list[Callable[[Names], ResourceTest]] = []
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
        return lambda _names: lambda resource, _segments, _context: resource.startswith(beginnings) or resource in exact
    if len(tests) == 1 and not exact and not beginnings:
        return tests[0]

    def prepared(names: Names) -> ResourceTest:
        own = [test(names) for test in tests]
        return lambda resource, segments, context: (
            resource.startswith(beginnings) or resource in exact or any(test(resource, segments, context) for test in own)
        )

    return prepared


def not_resource_test(patterns: tuple[str, ...], variables: bool, effect: Effect) -> Callable[[Names], ResourceTest]:
    """Whether no pattern matches the resource. What an Allow leaves out must be known: with a variable that has no value it would leave out
    nothing, so such a statement does not apply."""
    listed = resource_test(patterns, variables)
    needed = [canonical_key(key) for key in template_variables(patterns)] if variables and effect is Effect.ALLOW else []

    def prepared(names: Names) -> ResourceTest:
        matches = listed(names)
        spelled = [names.get(key, key) for key in needed]
        return lambda resource, segments, context: (
            not matches(resource, segments, context) and all(isinstance(context.get(name), str) for name in spelled)
        )

    return prepared


def template_variables(texts: Iterable[str]) -> tuple[str, ...]:
    """The variables without default in texts of a policy."""
    templates = (parse_template(text, wildcards=True, variables=True) for text in texts)
    return tuple(piece.key for template in templates for piece in template if isinstance(piece, Variable) and piece.default is None)


def _pattern_test(template: Template) -> Callable[[Names], ResourceTest]:
    segments = split_arn(template)
    if segments is None:
        return _whole_test(template)
    # a beginning of whole literal segments is compared at once: it holds its own colons, and so separates as the segments do
    literal = 0
    while literal < 5 and len(segments[literal]) == 1 and isinstance(segments[literal][0], str):
        literal += 1
    beginning = "".join(f"{segment[0]}:" for segment in segments[:literal])
    others = [(index, segment) for index, segment in enumerate(segments) if index >= literal and segment != (Wild.ANY,)]
    fixed = [(index, text_test(constant(segment) or ())) for index, segment in others if not has_variables(segment)]
    open_ = [(index, _template_test(segment)) for index, segment in others if has_variables(segment)]

    def prepared(names: Names) -> ResourceTest:
        varying = [(index, test(names)) for index, test in open_]

        def matches(resource: str, given: Sequence[str], context: Context) -> bool:
            if len(given) != 6 or not resource.startswith(beginning):
                return False
            for index, test in fixed:
                if not test(given[index]):
                    return False
            for index, test_in in varying:
                if not test_in(context)(given[index]):
                    break
            else:
                return True
            return False

        return matches

    return prepared


def _whole_test(template: Template) -> Callable[[Names], ResourceTest]:
    """Of a resource that is compared as one text."""
    pattern = constant(template)
    if pattern is not None:
        whole = text_test(pattern)
        return lambda _names: lambda resource, _segments, _context: whole(resource)
    test = _template_test(template)

    def prepared(names: Names) -> ResourceTest:
        test_in = test(names)
        return lambda resource, _segments, context: test_in(context)(resource)

    return prepared


def _template_test(template: Template) -> Callable[[Names], Callable[[Context], TextTest]]:
    return _by_variables([template], lambda value_of: _resolved_test(template, value_of))


def _by_variables(templates: Iterable[Template], test_with: Callable[[ValueOf], TextTest]) -> Callable[[Names], Callable[[Context], TextTest]]:
    """The test that the variables' values lead to, which is remembered: they stand for little (the tags of the callers) unless someone makes it much."""
    keys = [canonical_key(piece.key) for template in templates for piece in template if isinstance(piece, Variable)]

    def find(given: tuple[Value, ...]) -> TextTest:
        values = dict(zip(keys, given, strict=True))

        def value_of(key: str) -> str | None:
            value = values[canonical_key(key)]
            return value if isinstance(value, str) else None  # several values are no text

        return test_with(value_of)

    def small(given: tuple[Value, ...]) -> bool:
        return all(value is None or (isinstance(value, str) and len(value) <= 256) for value in given)

    tests = _Remembered(find, small)

    def prepared(names: Names) -> Callable[[Context], TextTest]:
        spelled = [names.get(key, key) for key in keys]
        return lambda context: tests[tuple(map(context.get, spelled))]

    return prepared


def _resolved_test(template: Template, value_of: ValueOf) -> TextTest:
    pattern = resolve(template, value_of)
    return _never if pattern is None else text_test(pattern)


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


def condition_test(condition: Condition, variables: bool, effect: Effect) -> Callable[[Names], ContextTest]:
    """One operator on one key, for a statement of this effect. Presence is told by the names, so that Null and absent keys never look at a value."""
    key = canonical_key(condition.key)
    operator = condition.operator
    if operator.name == "Null":
        absence = {text.lower() == "true" for text in condition.values}
        return lambda names: _always if (key not in names) in absence else _never
    quantifier = operator.quantifier
    if_missing = quantifier is Quantifier.ALL or (quantifier is Quantifier.ONE and (operator.negated or operator.if_exists))
    any_value = quantifier is Quantifier.ANY or effect is Effect.DENY
    wanted = not operator.negated
    comparison = operator.comparison
    wildcards = comparison.reading in (Reading.PATTERN, Reading.ARN)
    templates = [parse_template(text, wildcards=wildcards, variables=variables and comparison.variables) for text in condition.values]

    def decide(values: tuple[str, ...], fits: TextTest) -> bool:
        if quantifier is Quantifier.ALL:
            return values == ("",) or all(fits(value) is wanted for value in values)
        return any(fits(value) is wanted for value in values) if any_value else len(values) == 1 and fits(values[0]) is wanted

    def closed(name: str, fits: TextTest) -> ContextTest:
        def holds(context: Context) -> bool:
            given = context[name]
            return fits(given) is wanted if isinstance(given, str) else decide(given, fits)

        return holds

    def open_(name: str, fits_in: Callable[[Context], TextTest]) -> ContextTest:
        def holds(context: Context) -> bool:
            given = context[name]
            return decide((given,) if isinstance(given, str) else given, fits_in(context))

        return holds

    if any(map(has_variables, templates)) or quantifier is Quantifier.ALL:
        fits_with = _by_variables(templates, lambda value_of: _fits(comparison, templates, value_of))
        return lambda names: open_(names[key], fits_with(names)) if key in names else _always if if_missing else _never
    fits = _fits(comparison, templates, _no_value)
    return lambda names: closed(names[key], fits) if key in names else _always if if_missing else _never


def _always(_: object) -> bool:
    return True


def _never(_: object) -> bool:
    return False


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
    """Parsed values. Requests that arrive together share most of their addresses, dates and numbers."""
    read, holds = comparison.parse_request, comparison.holds

    def fits(given: str) -> bool:
        value = read(given)
        return value is not None and any(holds(own, value) for own in asked)

    return _Remembered(fits, _is_short).__getitem__


def _is_short(given: str) -> bool:
    return len(given) <= 64


def _no_value(_: str) -> None:
    return None
