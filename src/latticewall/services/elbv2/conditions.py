"""When a rule applies ("Rule condition types"): each condition as it is stored and shown, with the values under both of their names where AWS has two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from latticewall.resources.kind import Document
from latticewall.services.elbv2 import text
from latticewall.services.elbv2.account import LIMITS

CONFIGS = {
    "host-header": "HostHeaderConfig", "path-pattern": "PathPatternConfig", "http-header": "HttpHeaderConfig", "query-string": "QueryStringConfig",
    "http-request-method": "HttpRequestMethodConfig", "source-ip": "SourceIpConfig",
}  # fmt: skip
TWO_NAMES = ("host-header", "path-pattern")
"""Fields whose values are also shown as `Values`."""
ONCE = ("host-header", "path-pattern", "http-request-method", "source-ip")
LONGEST = 128
_HOST = re.compile(r"[A-Za-z0-9.*?_-]+")
_PATH = re.compile(r"[A-Za-z0-9_.$/~\"'@:+&*?=!,;()%-]+")
_METHOD = re.compile(r"[A-Z_-]{1,40}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def read(given: Sequence[Document]) -> list[Document]:
    """Check the conditions of a rule."""
    if not given:
        raise text.invalid("Conditions", "A rule must have at least one condition")
    found = [_read(item) for item in given]
    for field in ONCE:
        if sum(item["Field"] == field for item in found) > 1:
            raise text.invalid("Conditions", f"A rule can have only one {field} condition")
    values = [value for item in found for value in spoken(item)]
    if len(values) > LIMITS["condition-values-per-alb-rule"]:
        raise text.invalid("Conditions", f"A rule can have at most {LIMITS['condition-values-per-alb-rule']} condition values")
    if sum(value.count("*") + value.count("?") for value in values) > LIMITS["condition-wildcards-per-alb-rule"]:
        raise text.invalid("Conditions", f"A rule can have at most {LIMITS['condition-wildcards-per-alb-rule']} wildcard characters")
    return found


def spoken(condition: Document) -> list[str]:
    """The values of a condition as texts."""
    values = condition[CONFIGS[condition["Field"]]]["Values"]
    return [value if isinstance(value, str) else value["Value"] for value in values]


def _read(given: Document) -> Document:
    field = str(given.get("Field") or "")
    if field not in CONFIGS:
        raise text.invalid("Conditions.Field", f"Condition field '{field}' must be one of {', '.join(CONFIGS)}")
    config: dict[str, Any] = dict(given.get(CONFIGS[field]) or {})
    if given.get("RegexValues") or config.get("RegexValues"):
        raise text.unsupported("Conditions.RegexValues", "Conditions with regular expressions are not supported yet")
    values = config.get("Values") or given.get("Values") or []
    if not values:
        raise text.invalid("Conditions", f"The {field} condition must have at least one value")
    if field == "query-string":
        return {"Field": field, CONFIGS[field]: {"Values": [_pair(value) for value in values]}}
    for value in values:
        _check(field, value)
    document: Document = {"Field": field, CONFIGS[field]: {"Values": list(values)}}
    if field == "http-header":
        name = str(config.get("HttpHeaderName") or "")
        if not _HEADER_NAME.fullmatch(name) or name.lower() == "host":
            raise text.invalid("Conditions.HttpHeaderConfig.HttpHeaderName", f"'{name}' is not an HTTP header name that a condition can have")
        document[CONFIGS[field]]["HttpHeaderName"] = name
    return {**document, "Values": list(values)} if field in TWO_NAMES else document


def _pair(value: Any) -> Document:
    """A query-string value: a key and a value, or a value of any key."""
    found = {member: str(value[member]) for member in ("Key", "Value") if value.get(member)}
    if "Value" not in found or any(len(item) > LONGEST or not _PRINTABLE.fullmatch(item) for item in found.values()):
        raise text.invalid("Conditions.QueryStringConfig", "A query string condition needs a value of at most 128 printable characters")
    return found


def _check(field: str, value: str) -> None:
    patterns = {"host-header": _HOST, "path-pattern": _PATH, "http-header": _PRINTABLE, "http-request-method": _METHOD}
    if field == "source-ip":
        try:
            ip_network(value)
        except ValueError:
            raise text.invalid("Conditions.SourceIpConfig", f"The source IP '{value}' is not a CIDR block") from None
    elif len(value) > LONGEST or not patterns[field].fullmatch(value):
        raise text.invalid("Conditions", f"The {field} condition value '{value}' holds characters that it cannot have, or is longer than {LONGEST}")
