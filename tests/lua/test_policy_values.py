"""What operators read out of texts, against the definition: numbers of any length, dates in every form, addresses, base64, and patterns on characters."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv6Address

import pytest
from asking import ask, policy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from policy_machine import Machine, to_lua_bytes
from policy_strategies import ADDRESSES, expected

from latticewall.policy import spec
from latticewall.policy.lua.literals import to_bytes
from latticewall.policy.lua.patterns import encoded
from latticewall.policy.operators import parse_address, parse_date
from latticewall.policy.pattern import constant, parse_template, resolve

MACHINE = Machine()
many = settings(max_examples=600, deadline=None, derandomize=True)
ORDERS = st.sampled_from(["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"])


def holds(operator: str, wanted: str, given_text: str) -> bool:
    """Whether the condition holds, which Lua and the definition must agree on."""
    written, request = [policy({"Condition": {operator: {"x:k": wanted}}})], ask(context={"x:k": given_text})
    answer = MACHINE.ask(MACHINE.compile(written), request)
    assert answer == expected(written, request)
    return answer[0] == 1


DIGITS = st.text("0123456789", min_size=1, max_size=3) | st.text("019", min_size=60, max_size=64)
NUMBERS = st.builds(lambda sign, whole, part: sign + whole + part, st.sampled_from(["", "", "-", "+"]), DIGITS, st.just("") | DIGITS.map(".{}".format))
TOO_LONG = st.text("01", min_size=65, max_size=66)


@many
@given(ORDERS, NUMBERS, NUMBERS | st.text("019+-.e x", max_size=5) | TOO_LONG | TOO_LONG.map("0.{}".format))
def test_numbers_are_compared_digit_by_digit(order: str, wanted: str, given_text: str) -> None:
    holds(f"Numeric{order}", wanted, given_text)


@pytest.mark.parametrize(
    ("operator", "wanted", "found", "answer"),
    [
        ("NumericEquals", ["0"], "0", True), ("NumericEquals", ["0"], "0.00", True), ("NumericEquals", ["0"], "1", False),
        ("NumericNotEquals", ["0"], "0", False), ("NumericNotEquals", ["0"], "1", True), ("NumericLessThan", ["0"], "-1", True),
        ("NumericGreaterThanEquals", ["0"], "0", True), ("NumericLessThan", ["1", "3"], "2", True), ("NumericGreaterThan", ["3", "0"], "1", True),
    ],
)  # fmt: skip
def test_nought_is_a_number(operator: str, wanted: list[str], found: str, *, answer: bool) -> None:
    written, request = [policy({"Condition": {operator: {"x:k": wanted}}})], ask(context={"x:k": found})
    told = MACHINE.ask(MACHINE.compile(written), request)
    assert told == expected(written, request)
    assert (told[0] == 1) == answer


@many
@given(ORDERS, NUMBERS, st.integers(-1, 1), st.sampled_from(["", "0", "00"]))
def test_neighbouring_numbers(order: str, wanted: str, step: int, zeros: str) -> None:
    last = int(wanted[-1]) + step
    assume(0 <= last <= 9)
    sign = wanted[0] if wanted[0] in "+-" else ""
    holds(f"Numeric{order}", wanted, f"{sign}{zeros}{wanted[len(sign) : -1]}{last}")


DATES = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "+01:30"),
    st.from_regex(r"-?[0-9]{4,19}", fullmatch=True),
    st.from_regex(
        r"(19|20|00)[0-9]{2}(-[01][0-9](-[0-3][0-9](T[01][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,10})?)?(Z|[+-][0-2][0-9]:?[0-9]{2})?)?)?)?", fullmatch=True
    ),
    st.text("0123456789-:TZ+.", max_size=25),
)


@many
@given(ORDERS, DATES.filter(lambda text: parse_date(text) is not None), DATES)
def test_dates(order: str, wanted: str, given_text: str) -> None:
    holds(f"Date{order}", wanted, given_text)


@many
@given(st.datetimes().filter(lambda moment: 2 < moment.year < 9998), st.integers(-1439, 1439), st.sampled_from([-1, 0, 1]))
def test_the_same_moment_however_it_is_written(moment: datetime, minutes: int, seconds: int) -> None:
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    other = aware + timedelta(seconds=seconds)
    wanted = aware.isoformat()
    written = other.astimezone(timezone(timedelta(minutes=minutes))).isoformat()
    assert holds("DateEquals", wanted, written) is (seconds == 0)
    assert holds("DateLessThan", wanted, written) is (seconds < 0)
    since = (other - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assume(abs(since) >= 10_000)
    assert holds("DateEquals", wanted, str(since)) is (seconds == 0)
    assert holds("DateGreaterThan", str(since), wanted) is (seconds < 0)


ODD_DATES = [
    *("2026-01-02T24:00:00Z", "2026-01-02T23:60:00Z", "2026-01-02T23:59:60Z", "2026-01-02T23:59:59Z", "2026-01-02T23:59+23:59", "2026-01-02T23:59+23:60"),
    *("2026-01-02T00:00-23:59", "2026-01-02T00:00+24:00", "2026-01-02T00:00+99:99", "2026-01-02T00:00+05:99", "2026-01-02T00:00+0530", "2026-01-02T00:00+05"),
    *("2026-01-02T00:00", "2026-01-02T00", "2026-01-02T", "2026-01-02Z", "2026-01-02T00:00:00.Z", "2026-01-02T00:00:00.123456789Z", "2026-01-02T00:00:0Z"),
    *("2026-01-02T00:00:00.1234567890Z", "2026-01-02T00:00.5Z", "0000-01-01", "0001-01-01", "0001-01-01T00:00+23:59", "9999-12-31T23:59:59.999999-23:59"),
    *("1900-02-29", "2000-02-29", "2023-02-29", "2024-02-29", "2024-03-01", "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32", "2026-04-31", "2026-12-31"),
    *("2026-01-02t00:00:00Z", "2026-01-02T00:00:00z", "2026-01-02T00:00:00Z ", " 2026", "2026 ", "26-01-02", "2026-1-2", "20260102", "-2026", "+20260"),
    "-20260",
    *("1234", "12345", "123456789012345678", "1234567890123456789", "-0", "-00000", "00000", "12345.5", "", "-", "-99999", "99999999999999999"),
]


@pytest.mark.parametrize("given_text", ODD_DATES)
def test_odd_dates(given_text: str) -> None:
    for wanted in ("1970", "2026-01-02", "2026-01-02T00:00:00.123456Z", "2024-02-29T12:00:00.5Z", "-1000000000000"):
        for order in ("LessThan", "Equals", "GreaterThan"):
            holds(f"Date{order}", wanted, given_text)


@pytest.mark.parametrize(("one", "other"), [("999999999999999999", "999999999999999998"), ("-100000000000000000", "-100000000000000001")])
def test_epoch_seconds_keep_all_their_digits(one: str, other: str) -> None:
    assert holds("DateLessThan", one, other)
    assert not holds("DateEquals", one, other)
    assert holds("DateEquals", one, one)


ODD_ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3}){2,4}", fullmatch=True),
    st.from_regex(r"(:|[0-9a-fA-F]{0,5}){1,9}(:[0-9]{1,3}(\.[0-9]{1,3}){3})?(%[a-z%/]{0,2})?", fullmatch=True),
    st.lists(st.sampled_from(["1", "ff", "0", "", "", "2001", "12345"]), min_size=1, max_size=10).map(":".join),
    st.sampled_from(ADDRESSES),
)


@many
@given(st.ip_addresses(), st.integers(0, 128), ODD_ADDRESSES, st.booleans(), st.integers(0, 2**128))
def test_addresses(address: object, length: int, given_text: str, near: bool, noise: int) -> None:
    version = 4 if "." in str(address) else 6
    block = f"{address}/{length if version == 6 else length % 33}"
    if near:
        bits = 128 if version == 6 else 32
        kept = length if version == 6 else length % 33
        given_text = str(type(address)(int(address) ^ (noise % (1 << bits) >> min(max(kept - 1, 0), bits))))  # type: ignore[call-overload]
    for own in (block, "0.0.0.0/0", "::/0"):
        holds("IpAddress", own, given_text)


GROUPS = [
    "12345",
    *("1", "ff", "0", "ABCD", "::", ":", ":", ":", "1.2.3.4", "255.255.255.255", "01.2.3.4", "%", "%eth", "/", "2001", "g", ".", "256.1.1.1", "::ffff:"),
]
LONG_ADDRESSES = [
    *("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8::", "::2:3:4:5:6:7:8", "::1:2:3:4:5:6:7:8"),
    *("1::3:4:5:6:7:8", "1::2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5::1.2.3.4", "1:2:3:4:5:6::1.2.3.4", "::", ":::"),
    *("1:2:3:4:5:6:7::1.2.3.4", "fe80::1%", "fe80::1%a", "fe80::1%a%b", "fe80::1%a/b", "%a", "::%a", "1:2:3:4:5:6:7:", "1:2", "::1:", ":1:2:3:4:5:6:7"),
]


def test_what_is_an_address() -> None:
    """Groups thrown together, most of them no address: read as the definition reads them, and to the same bits."""
    source = random.Random(3)
    thrown = ["".join(source.choices(GROUPS, k=source.randint(1, 12))) for _ in range(20_000)]
    found = 0
    for text in (*LONG_ADDRESSES, *thrown):
        address = parse_address(text)
        version = address.version if address is not None else 0
        assert bool(MACHINE.library[b"ipv6"](text.encode(), bytes(16), 0)) is (version == 6), text
        assert bool(MACHINE.library[b"ipv4"](text.encode(), 0, 2**32 - 1)) is (version == 4), text
        if isinstance(address, IPv6Address):
            assert MACHINE.library[b"ipv6"](text.encode(), address.packed, 128), text
        elif address is not None:
            assert MACHINE.library[b"ipv4"](text.encode(), int(address), int(address)), text
        found += version > 0
    assert found > 300


@many
@given(st.sampled_from(["", "YQ==", "YWI=", "YWJj", "YWJjZA==", "+/+/"]), st.text("YQRWI=J+/j*", max_size=9))
def test_base64(wanted: str, given_text: str) -> None:
    data = given_text.rstrip("=")
    assume(len(data) % 4 or data == given_text)  # padding where none belongs: some versions of Python read it
    holds("BinaryEquals", wanted, given_text)


@pytest.mark.parametrize("text", ["YQ==", "YWI=", "YWJj", ""])
def test_base64_is_what_it_stands_for(text: str) -> None:
    assert holds("BinaryEquals", text, text)
    assert not holds("BinaryEquals", text, text + "YWJj")
    assert holds("BinaryEquals", "YQ==", "YR==")


@pytest.mark.parametrize(("wanted", "given_text", "same"), [("STRASSE", "strasse", True), ("é", "É", False), ("k", "\u212a", False), ("İ", "i̇", False)])
def test_case_is_that_of_a_to_z(wanted: str, given_text: str, same: bool) -> None:
    evaluator = MACHINE.compile([policy({"Condition": {"StringEqualsIgnoreCase": {"x:k": wanted}}})])
    assert (MACHINE.ask(evaluator, ask(context={"x:k": given_text}))[0] == 1) is same


def texts_of(characters: str, most: int) -> list[str]:
    """Every text of at most so many of the characters that bytes can say: some characters are bytes that are no UTF-8."""
    every = ("".join(chosen) for count in range(most + 1) for chosen in itertools.product(characters, repeat=count))
    return [text for text in every if to_bytes(text) is not None]


def like(pattern: str, text: str) -> bool:
    return bool(MACHINE.library[b"like"](to_lua_bytes(text), encoded(constant(parse_template(pattern, wildcards=True, variables=False)) or ())))


@pytest.mark.parametrize(("tokens", "characters"), [("aé*?", "aé\udcc3\udca9"), ("€*?\1", "€\1\udce2\udc82\udcff"), ("😀*?\3", "😀\2\3\udcf0\udc9f")])
def test_patterns_match_characters(tokens: str, characters: str) -> None:
    for pattern in texts_of(tokens, 4):
        template = parse_template(pattern, wildcards=True, variables=False)
        for text in texts_of(characters, 3):
            assert like(pattern, text) is spec.glob(template, text), (pattern, text)


EDGES = bytes([0x61, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFE, 0xFF])


def test_characters_are_counted_as_python_counts_them() -> None:
    """Every three bytes at the edges of UTF-8's definition, and every four that begin like four."""
    threes = itertools.product(EDGES, repeat=3)
    fours = itertools.product(b"\xf0\xf1\xf4\xf5\xed", EDGES[:12], EDGES[:12], EDGES[:12])
    for raw in map(bytes, itertools.chain(threes, fours)):
        count = len(raw.decode("utf-8", "surrogateescape"))
        assert MACHINE.library[b"like"](raw, b"\2" * count), raw
        assert not MACHINE.library[b"like"](raw, b"\2" * (count - 1)), raw


PLAIN = ["", "a", "*", "**", "a*", "*a", "*a*", "ab*ba", "a*a", "a*b*a", "*a*b", "a*b*", "aa*a*aa", "*a**b", "ab**", "*ab*b*", "a*b*a*b", "ba*ab*ba"]


@pytest.mark.parametrize("pattern", PLAIN)
def test_plain_patterns_become_plain_tests(pattern: str) -> None:
    """A literal, a prefix, a suffix, something in between: each also as an ARN of which only the last segment is a pattern."""
    template = parse_template(pattern, wildcards=True, variables=False)
    evaluators = [MACHINE.compile([policy({"Condition": {"StringLike": {"x:k": pattern}}})])]
    evaluators.append(MACHINE.compile([policy({"Condition": {"ArnLike": {"x:k": f"arn:aws:s3:::{pattern}"}}})]))
    for text in texts_of("ab", 6):
        wanted = spec.glob(template, text)
        for evaluator, beginning in zip(evaluators, ("", "arn:aws:s3:::"), strict=True):
            assert (MACHINE.ask(evaluator, ask(context={"x:k": beginning + text}))[0] == 1) is wanted, text


TEMPLATES = [
    *("${x:v}", "?${x:v}", "${x:v}?", "*${x:v}", "${x:v}*", "*${x:v}*", "${x:v}${x:w}", "*${x:v}?${x:w}", "é${x:v}", "${x:v}${*}"),
    "*${x:none, '?'}${x:v}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_a_variable_brings_in_is_characters_too(template: str) -> None:
    evaluators = {operator: MACHINE.compile([policy({"Condition": {operator: {"x:k": template}}})]) for operator in ("StringLike", "StringEquals")}
    pieces = parse_template(template, wildcards=True, variables=True), parse_template(template, wildcards=False, variables=True)
    for value, other in itertools.product(texts_of("é\1*\udcc3\udca9\udc83", 1), repeat=2):
        for text in texts_of("é\1*\udcc3\udca9\udc83", 3 if len(value + other) < 2 else 2):
            question = MACHINE.question(ask(context={"x:k": text, "x:v": value, "x:w": other}))
            for evaluator, own in zip(evaluators.values(), pieces, strict=True):
                pattern = resolve(own, {"x:v": value, "x:w": other}.get)
                assert pattern is not None
                assert (evaluator(question)[0] == 1) is spec.glob(pattern, text), (template, value, other, text)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("pattern", ["a*" * 2000 + "b", "*a" * 2000, "*" + "a?" * 2000 + "b*", "*?" * 2000, "*" + "a" * 4000 + "?b*", "*?" + "é" * 2000 + "b"])
@pytest.mark.parametrize("letter", ["a", "é"])
def test_no_pattern_takes_long(pattern: str, letter: str) -> None:
    text = letter * (30_000 // len(letter.encode()))
    answer = like(pattern, text)
    assert answer is (pattern in ("*a" * 2000, "*?" * 2000) and (letter == "a" or "a" not in pattern))


@many
@given(st.lists(st.sampled_from(["a", "b", "*", "?", "é"]), max_size=6).map("".join), st.text("abé", max_size=8))
def test_an_exhausted_match_is_decided_the_same(pattern: str, text: str) -> None:
    """A long repetition before the end uses up the patience of the quick way; the thorough one must agree with the definition."""
    repeated = "*" + "a?" * 20 + pattern
    longer = "a" * 200 + text
    assert like(repeated, longer) is spec.glob(parse_template(repeated, wildcards=True, variables=False), longer)
