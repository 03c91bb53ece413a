"""Conditions as Lua steps. A step leaves its statement when the condition does not hold.

Page followed: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Creating a condition with multiple keys or values"; what each
operator means is defined by `operators` and `spec`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from latticewall.policy.document import Condition, Effect
from latticewall.policy.lua.chunk import ARGUMENTS, FALSE, TRUE, Chunk
from latticewall.policy.lua.keys import has_one_value, value_of
from latticewall.policy.lua.literals import quote
from latticewall.policy.lua.patterns import listed, literal_text, matches, resolved_text
from latticewall.policy.operators import Quantifier, Reading, parse_binary, parse_bool, parse_date, parse_network, parse_number
from latticewall.policy.pattern import Template, has_variables, parse_template
from latticewall.policy.request import canonical_key

_ORDERS = {
    "Equals": "({})==0",
    "LessThan": "({})==-1",
    "LessThanEquals": "({} or 1)<1",
    "GreaterThan": "({})==1",
    "GreaterThanEquals": "({} or -1)>-1",
}
_BILLION = 10**9


class Test(NamedTuple):
    """A test of a statement: what is put into x first ("" for nothing), and the expression that must hold."""

    assignment: str
    holds: str

    def step(self, leave: str) -> str:
        """The test as a statement of Lua. leave: what is done when it does not hold."""
        return f"{self.assignment} if not({self.holds})then {leave} end".strip()


def condition_test(chunk: Chunk, condition: Condition, effect: Effect, variables: bool) -> Test:
    """One operator on one key."""
    operator, key = condition.operator, canonical_key(condition.key)
    value = value_of(chunk, key)
    if operator.name == "Null":
        return Test("", _null(value, condition.values))
    matched = _matched(chunk, condition, variables)
    if operator.quantifier is Quantifier.ONE and (effect is Effect.ALLOW or has_one_value(key)):
        given = value if has_one_value(key) else chunk.call("one", value)
        return Test(f"x={given}", _of_one(operator.negated, operator.if_exists, matched))
    if has_one_value(key):
        return Test(f"x={value}", _of_set_of_one(operator.quantifier, operator.negated, matched))
    test = chunk.function(f"return {matched}")
    negated = TRUE if operator.negated else FALSE
    given = ARGUMENTS.removesuffix(",x")
    if operator.quantifier is Quantifier.ALL:
        return Test("", chunk.call("all", value, test, negated, given))
    missing = operator.quantifier is Quantifier.ONE and (operator.negated or operator.if_exists)
    return Test("", chunk.call("any", value, test, negated, TRUE if missing else FALSE, given))


def _null(value: str, texts: tuple[str, ...]) -> str:
    """Whether the key must be absent; both words in one condition hold always."""
    wanted = {parse_bool(text) is True for text in texts}
    if len(wanted) == 2:
        return TRUE
    return f"{value}{'==' if True in wanted else '~='}nil"


def _of_one(negated: bool, if_exists: bool, matched: str) -> str:
    """The test of a key's one value in x; nil: none, false: not exactly one."""
    if negated:
        return f"x~=false and not({matched})"
    return f"x==nil or {matched}" if if_exists else matched


def _of_set_of_one(quantifier: Quantifier, negated: bool, matched: str) -> str:
    """The test of a single-valued key with a set operator; a blank value is an empty set to ForAllValues."""
    satisfied = f"not({matched})" if negated else matched
    return f'x==nil or x=="" or {satisfied}' if quantifier is Quantifier.ALL else f"x~=nil and ({satisfied})"


def _matched(chunk: Chunk, condition: Condition, variables: bool) -> str:
    """Whether x is one of the condition's values, as the positive operator compares; false for an x that is nil or false."""
    comparison = condition.operator.comparison
    wildcards = comparison.reading in (Reading.PATTERN, Reading.ARN)
    templates = [parse_template(text, wildcards=wildcards, variables=variables and comparison.variables) for text in condition.values]
    if comparison.reading is Reading.ARN:
        return listed(chunk, "x", templates, arns_only=True)
    if comparison.reading is Reading.PATTERN:
        return _patterns(chunk, templates)
    constant = [text for template in templates if (text := literal_text(template)) is not None]
    dynamic = [template for template in templates if has_variables(template)]
    return _READERS[_family(condition)](chunk, condition.operator.name, constant, dynamic)


def _patterns(chunk: Chunk, templates: list[Template]) -> str:
    exact = [text for template in templates if (text := literal_text(template)) is not None]
    tests = [matches(chunk, "x", template) for template in templates if literal_text(template) is None]
    return chunk.any_of([*chunk.equals_any("x", exact), *tests])


def _family(condition: Condition) -> str:
    """Which reader an operator's name belongs to: the start of the name."""
    name = condition.operator.name.replace("Not", "", 1)
    return next(family for family in sorted(_READERS, key=len, reverse=True) if name.startswith(family))


def _equal_texts(chunk: Chunk, constant: list[str], dynamic: list[Template]) -> str:
    tests = chunk.equals_any("x", constant)
    for template in dynamic:
        several = len([piece for piece in template if not isinstance(piece, str)]) > 1
        given = chunk.call("canonical", "x") if several else "x"
        tests.append(f"x and {given}=={resolved_text(chunk, template)}")
    return chunk.any_of(tests)


def _strings(chunk: Chunk, _: str, constant: list[str], dynamic: list[Template]) -> str:
    return _equal_texts(chunk, constant, dynamic)


def _strings_any_case(chunk: Chunk, _: str, constant: list[str], dynamic: list[Template]) -> str:
    """Only A to Z have another case: what is not ASCII is compared as it stands."""
    tests: list[str] = []
    lowered = [text.encode().lower() for text in constant]
    if lowered:
        tests += chunk.equals_any(chunk.call("lower", "x"), lowered, chain=1)
    for template in dynamic:
        several = len([piece for piece in template if not isinstance(piece, str)]) > 1
        given = chunk.call("lower", chunk.call("canonical", "x") if several else "x")
        tests.append(f"x and {given}=={chunk.call('lower', resolved_text(chunk, template))}")
    return chunk.any_of(tests)


def _bools(chunk: Chunk, _: str, constant: list[str], dynamic: list[Template]) -> str:
    own = chunk.call("bool", "x")
    tests = [f"{own}=={TRUE if parse_bool(text) else FALSE}" for text in constant if parse_bool(text) is not None]
    tests += [f"{own}~=nil and {own}=={chunk.call('bool', resolved_text(chunk, template))}" for template in dynamic]
    return chunk.any_of(tests)


def _binaries(chunk: Chunk, _: str, constant: list[str], __: list[Template]) -> str:
    known = [found for text in constant if (found := parse_binary(text)) is not None]
    return chunk.any_of([chunk.call("binary", "x", quote(base64.b64encode(found).rstrip(b"="))) for found in known])


def _numbers(chunk: Chunk, name: str, constant: list[str], _: list[Template]) -> str:
    order = _ORDERS[name.removeprefix("Numeric").replace("Not", "")]
    return chunk.any_of([order.format(chunk.call("number", "x", *_digits(found))) for text in constant if (found := parse_number(text)) is not None])


def _digits(number: Decimal) -> tuple[str, str, str]:
    """Sign, digits before the point without leading zeros, digits after it without trailing zeros; all of them, so no arithmetic."""
    whole, _, part = format(number.copy_abs(), "f").partition(".")
    return TRUE if number < 0 else FALSE, quote(whole.lstrip("0")), quote(part.rstrip("0"))


def _dates(chunk: Chunk, name: str, constant: list[str], _: list[Template]) -> str:
    order = _ORDERS[name.removeprefix("Date").replace("Not", "")]
    return chunk.any_of([order.format(chunk.call("date", "x", *_moment(found))) for text in constant if (found := parse_date(text)) is not None])


def _moment(seconds: Decimal) -> tuple[str, str, str]:
    """Billions of seconds, the rest, and microseconds."""
    whole, micros = divmod(int(seconds * 1_000_000), 1_000_000)
    billions, rest = divmod(whole, _BILLION)
    return str(billions), str(rest), str(micros)


def _addresses(chunk: Chunk, _: str, constant: list[str], __: list[Template]) -> str:
    return chunk.any_of([_block(chunk, found) for text in constant if (found := parse_network(text)) is not None])


def _block(chunk: Chunk, network: IPv4Network | IPv6Network) -> str:
    if isinstance(network, IPv4Network):
        return chunk.call("ipv4", "x", str(int(network.network_address)), str(int(network.broadcast_address)))
    return chunk.call("ipv6", "x", quote(network.network_address.packed), str(network.prefixlen))


_READERS: dict[str, Callable[[Chunk, str, list[str], list[Template]], str]] = {
    "StringEquals": _strings,
    "StringEqualsIgnoreCase": _strings_any_case,
    "Bool": _bools,
    "BinaryEquals": _binaries,
    "Numeric": _numbers,
    "Date": _dates,
    "IpAddress": _addresses,
}
