"""A target group's health check, complete with its defaults ("Health checks for your VPC Lattice target groups")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from latticewall.resources.kind import Document
from latticewall.services.vpc_lattice import text

NUMBERS = {
    "healthCheckIntervalSeconds": (30, 5, 300),
    "healthCheckTimeoutSeconds": (5, 1, 120),
    "healthyThresholdCount": (5, 2, 10),
    "unhealthyThresholdCount": (2, 2, 10),
}
"""Member -> default, lowest, highest."""
_CODES = re.compile(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*")
_LOWEST_CODE, _HIGHEST_CODE = 200, 499


def complete(given: Mapping[str, Any], group_protocol: str, member: str, current: Mapping[str, Any] | None = None) -> Document:
    """The whole health check: what is given, else what is current, else the defaults. A zero or an empty text means the default. member: what the
    request calls the health check.

    The protocol's default is the group's: the samples of real answers show that, against a sentence that says HTTP. Targets of TCP groups are
    checked only on request, with HTTP unless HTTPS is asked for.
    """
    wanted = {**(current or {}), **{name: value for name, value in given.items() if value is not None}}
    if wanted.get("protocol") == "TCP":
        raise text.invalid(f"{member}.protocol", "Health check protocol must be HTTP or HTTPS")
    protocol = "HTTP" if group_protocol == "TCP" else group_protocol
    found: Document = {
        "enabled": wanted.get("enabled", group_protocol != "TCP"), "protocol": wanted.get("protocol") or protocol,
        "protocolVersion": wanted.get("protocolVersion") or "HTTP1", "path": wanted.get("path") or "/",
        "matcher": {"httpCode": _codes((wanted.get("matcher") or {}).get("httpCode") or "200", f"{member}.matcher.httpCode")},
    }  # fmt: skip
    for name, (default, lowest, highest) in NUMBERS.items():
        value = wanted.get(name) or default
        if not lowest <= value <= highest:
            raise text.invalid(f"{member}.{name}", f"{name} must be between {lowest} and {highest}, not {value}")
        found[name] = value
    if found["healthCheckTimeoutSeconds"] > (interval := found["healthCheckIntervalSeconds"]):
        # nowhere documented: but a check answers for one interval, whatever the target takes, and so must be over when the next one begins
        message = f"The timeout of a health check must not be longer than the interval, which is {interval} seconds"
        raise text.invalid(f"{member}.healthCheckTimeoutSeconds", message)
    if wanted.get("port"):
        found["port"] = wanted["port"]
    return found


def _codes(codes: str, member: str) -> str:
    """A matcher: codes from 200 to 499, lists and ranges of them."""
    if not _CODES.fullmatch(codes):
        raise text.invalid(member, f"Matcher {codes} is not a list of codes or ranges such as 200,202 or 200-299")
    for part in codes.split(","):
        first, _, last = part.partition("-")
        if not _LOWEST_CODE <= int(first) <= int(last or first) <= _HIGHEST_CODE:
            raise text.invalid(member, f"Matcher {part} is not within 200-499")
    return codes
