"""Scalar values as text: numbers, booleans, blobs and the three timestamp formats. Documents carry timestamps as ISO 8601 text."""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from latticewall.apimodel.shapes import Shape

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Malformed(Exception):
    """A value that cannot be read as its shape's type; `parse` makes it the service's own fault."""


def from_text(shape: Shape, text: str) -> Any:
    """The typed value of a scalar that arrived as text. Raises Malformed."""
    match shape.type:
        case "boolean":
            return boolean(text)
        case "integer" | "long":
            value = integer(text)
            if shape.type == "integer" and not -(1 << 31) <= value < 1 << 31:
                raise Malformed("a 32-bit integer was expected")
            return value
        case "float" | "double":
            return number(text)
        case "timestamp":
            return timestamp(text)
        case "blob":
            return blob(text)
        case "string" | "character":
            return text
        case _:
            raise Malformed(f"a {shape.type} was expected")


def to_text(shape: Shape, value: Any, timestamp_format: str) -> str:
    """The text of a scalar: what an XML element, a header or a query parameter carries."""
    match shape.type:
        case "boolean":
            return "true" if value else "false"
        case "float" | "double":
            return str(float_form(value))
        case "timestamp":
            return str(timestamp_form(value, shape.timestamp_format or timestamp_format))
        case "blob":
            return blob_form(value)
        case _:
            return str(value)


def boolean(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered not in ("true", "false"):
        raise Malformed(f"'{text[:64]}' is not a boolean")
    return lowered == "true"


def integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise Malformed(f"'{text[:64]}' is not an integer")
    return int(text)


def number(text: str) -> float:
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if not _NUMBER.fullmatch(text.strip()):
        raise Malformed(f"'{text[:64]}' is not a number")
    return float(text)


def float_form(value: float) -> float | str:
    """The number, or the word for one that JSON and XML have no digits for."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def blob(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a blob is not valid base64") from None


def blob_form(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


def timestamp(value: str | float) -> str:
    """ISO 8601 text with milliseconds and Z, from epoch seconds, ISO 8601 or RFC 822. Raises Malformed."""
    try:
        return iso(_moment(value))
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        raise Malformed(f"'{str(value)[:64]}' is not a timestamp") from None


def iso(moment: datetime) -> str:
    """The form that every document uses: `2026-01-02T03:04:05.678Z`."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def timestamp_form(text: str, timestamp_format: str) -> str | float:
    """A document's ISO 8601 text in the form the wire wants: iso8601, rfc822 or unixTimestamp (seconds)."""
    if timestamp_format == "iso8601":
        return text
    moment = _moment(text)
    if timestamp_format == "rfc822":
        return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)
    milliseconds = round(moment.timestamp() * 1000)
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _moment(value: str | float) -> datetime:
    if not isinstance(value, str):
        return datetime.fromtimestamp(value, UTC)
    if _NUMBER.fullmatch(value):
        return datetime.fromtimestamp(float(value), UTC)
    moment = parsedate_to_datetime(value) if "," in value else datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
