"""Conditions of a load balancer's rules as matchers of Envoy's routes ("Rule condition types").

Patterns become RE2 expressions: every character that is no wildcard stands for itself, whatever it would mean there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from latticewall.plan.load_balancers import Condition

Document = dict[str, Any]

SOURCE = "x-latticewall-source"
"""The header that holds the client's address between its arrival and the choice of a rule; no client's copy gets in, and none goes out."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/ ")
_OCTETS = 4


def route_match(conditions: Iterable[Condition]) -> Document:
    """All conditions must hold."""
    match: Document = {"prefix": ""}
    headers: list[Document] = []
    for condition in conditions:
        if condition.field == "path-pattern":
            match = {"safe_regex": {"regex": any_of_globs(condition.values)}}
        else:
            headers.append(_header(condition))
    return {**match, "headers": headers} if headers else match


def _header(condition: Condition) -> Document:
    if condition.field == "host-header":
        return _matches(":authority", f"(?i)({'|'.join(glob(value) for value in condition.values)})(:[0-9]+)?")
    if condition.field == "http-header":
        return _matches(condition.name, f"(?i){any_of_globs(condition.values)}")
    if condition.field == "http-request-method":
        return _matches(":method", any_of_globs(condition.values))
    if condition.field == "query-string":
        return _matches(":path", f"(?i)[^?]*\\?(.*&)?({'|'.join(_pair(key, value) for key, value in condition.pairs)})(&.*)?")
    return _matches(SOURCE, "|".join(cidr_regex(IPv4Network(value)) for value in condition.values))


def _matches(name: str, regex: str) -> Document:
    return {"name": name, "string_match": {"safe_regex": {"regex": regex}}}


def any_of_globs(values: Iterable[str]) -> str:
    return f"({'|'.join(glob(value) for value in values)})"


def glob(pattern: str, character: str = ".") -> str:
    """* is any text, ? any one character, a backslash makes either of them plain."""
    found, at = [], 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and pattern[at + 1 : at + 2] in ("*", "?", "\\"):
            at += 1
            found.append("\\" + pattern[at])
        elif letter in "*?":
            found.append(character + ("*" if letter == "*" else ""))
        else:
            found.append(letter if letter in _PLAIN else "\\" + letter)
        at += 1
    return "".join(found)


def _pair(key: str, value: str) -> str:
    """A key and a value of a query string, or a value of any key."""
    wanted = glob(value, "[^&]")
    return f"{glob(key, '[^&=]')}={wanted}" if key else f"([^&=]*=)?{wanted}"


def cidr_regex(network: IPv4Network) -> str:
    """The addresses of a block as an expression over their dotted form."""
    parts = []
    for octet in range(_OCTETS):
        kept = min(8, max(0, network.prefixlen - 8 * octet))
        first = network.network_address.packed[octet]
        numbers = range(first, first + (1 << (8 - kept)))
        parts.append("[0-9]+" if kept == 0 else str(first) if kept == 8 else f"({'|'.join(map(str, numbers))})")
    return "\\.".join(parts)
