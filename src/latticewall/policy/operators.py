"""The condition operators as a table: how a policy's value and a request's value are read, and how the two compare.

Page followed: IAM User Guide, "IAM JSON policy elements: Condition operators". A value that cannot be read never matches.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from latticewall.base import inet

_NUMBER = re.compile(r"[+-]?(\d{1,64})(\.\d{1,64})?\Z", re.ASCII)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?)?)?\Z", re.ASCII)
_EPOCH = re.compile(r"-?\d{5,18}\Z", re.ASCII)


class Reading(Enum):
    """How the text in a policy is taken: exact text, text with wildcards, ARN with wildcards per segment, or a parsed value."""

    TEXT = "text"
    PATTERN = "pattern"
    ARN = "arn"
    VALUE = "value"


class Quantifier(Enum):
    """How a key with several values is tested."""

    ONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


def parse_number(text: str) -> Decimal | None:
    """An integer or a decimal."""
    return Decimal(text) if _NUMBER.match(text) else None


def parse_date(text: str) -> Decimal | None:
    """Seconds since 1970 of a W3C ISO 8601 date or of epoch seconds (five digits or more, so that 2026 is a year)."""
    if _EPOCH.match(text):
        return Decimal(text)
    if not _DATE.match(text):
        return None
    full = text + "-01-01"[len(text) - 4 :] if len(text) in (4, 7) else text
    try:
        moment = datetime.fromisoformat(full)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Decimal(since.days * 86400 + since.seconds) + Decimal(since.microseconds) / 1_000_000


def parse_bool(text: str) -> bool | None:
    """true or false in any case."""
    return {"true": True, "false": False}.get(text.lower())


def parse_binary(text: str) -> bytes | None:
    """The bytes that base64 text stands for, in whole groups of four."""
    if len(text) % 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def parse_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A CIDR block; a bare address is a block of one."""
    try:
        return inet.parse_network(text)
    except ValueError:
        return None


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """One IPv4 or IPv6 address."""
    try:
        return inet.parse_address(text)
    except ValueError:
        return None


def _text(text: str) -> str:
    return text


_ASCII_LOWER = {ord(letter): ord(letter.lower()) for letter in string.ascii_uppercase}


def _lower(text: str) -> str:
    """In lower case, ASCII letters only: values are bytes on the wire, and the proxy compares bytes."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def _equal(asked: Any, given: Any) -> bool:
    return bool(asked == given)


def _less(asked: Decimal, given: Decimal) -> bool:
    return given < asked


def _less_or_equal(asked: Decimal, given: Decimal) -> bool:
    return given <= asked


def _greater(asked: Decimal, given: Decimal) -> bool:
    return given > asked


def _greater_or_equal(asked: Decimal, given: Decimal) -> bool:
    return given >= asked


def _asked_only(asked: Any, _given: Any) -> bool:
    """Null compares with no value: the policy's own word is the answer to "must it be absent?"."""
    return bool(asked)


def _contains(asked: Any, given: Any) -> bool:
    return asked.version == given.version and given in asked


@dataclass(frozen=True)
class Comparison:
    """What a positive operator does. parse_policy and parse_request read the two sides (None = unreadable); holds(policy, request) compares."""

    reading: Reading
    parse_policy: Callable[[str], Any] = _text
    parse_request: Callable[[str], Any] = _text
    holds: Callable[[Any, Any], bool] = _equal
    variables: bool = False


def _ordered(parse: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Comparison:
    return Comparison(Reading.VALUE, parse, parse, holds)


_ORDER = {
    "Equals": _equal,
    "LessThan": _less,
    "LessThanEquals": _less_or_equal,
    "GreaterThan": _greater,
    "GreaterThanEquals": _greater_or_equal,
}
_STRING = Comparison(Reading.TEXT, variables=True)
_STRING_ANY_CASE = Comparison(Reading.TEXT, _lower, _lower, variables=True)
_PATTERN = Comparison(Reading.PATTERN, variables=True)
_ARN = Comparison(Reading.ARN, variables=True)
_IP = Comparison(Reading.VALUE, parse_network, parse_address, _contains)

POSITIVE: dict[str, Comparison] = {
    "StringEquals": _STRING,
    "StringEqualsIgnoreCase": _STRING_ANY_CASE,
    "StringLike": _PATTERN,
    "ArnEquals": _ARN,
    "ArnLike": _ARN,
    "Bool": Comparison(Reading.VALUE, parse_bool, parse_bool, variables=True),
    "BinaryEquals": Comparison(Reading.VALUE, parse_binary, parse_binary),
    "IpAddress": _IP,
    "Null": Comparison(Reading.VALUE, parse_bool, holds=_asked_only),
    **{f"Numeric{order}": _ordered(parse_number, holds) for order, holds in _ORDER.items()},
    **{f"Date{order}": _ordered(parse_date, holds) for order, holds in _ORDER.items()},
}
NEGATED: dict[str, str] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}
_CANONICAL = {name.lower(): name for name in (*POSITIVE, *NEGATED)}
_QUANTIFIERS = {"": Quantifier.ONE, "forallvalues": Quantifier.ALL, "foranyvalue": Quantifier.ANY}


@dataclass(frozen=True)
class Operator:
    """A condition operator as written: name without prefix and suffix in AWS's spelling."""

    name: str
    quantifier: Quantifier = Quantifier.ONE
    if_exists: bool = False

    @property
    def negated(self) -> bool:
        return self.name in NEGATED

    @property
    def comparison(self) -> Comparison:
        """Of the positive operator this one is or negates."""
        return POSITIVE[NEGATED.get(self.name, self.name)]

    def __str__(self) -> str:
        prefix = f"{self.quantifier.value}:" if self.quantifier is not Quantifier.ONE else ""
        return f"{prefix}{self.name}{'IfExists' if self.if_exists else ''}"


def parse_operator(text: str) -> Operator | None:
    """Read `ForAnyValue:StringLikeIfExists`, in any case; None if there is no such operator. Null takes neither prefix nor suffix."""
    prefix, colon, rest = text.partition(":")
    if not colon:
        prefix, rest = "", text
    quantifier = _QUANTIFIERS.get(prefix.lower())
    lowered = rest.lower()
    if_exists = lowered.endswith("ifexists")
    name = _CANONICAL.get(lowered.removesuffix("ifexists"))
    if quantifier is None or name is None or (colon and not prefix):
        return None
    if name == "Null" and (if_exists or quantifier is not Quantifier.ONE):
        return None
    return Operator(name, quantifier, if_exists)
