"""Conditions of a load balancer's rules as matchers of Envoy's routes ("Rule condition types").

Patterns become RE2 expressions: every character that is no wildcard stands for itself, whatever it would mean there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

from latticewall.compile.render.envoy_clusters import any_of
from latticewall.plan.load_balancers import Condition

Document = dict[str, Any]

SOURCE = "latticewall.source"
"""The state of a connection that holds the client's address."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/ ")


def route_match(conditions: Iterable[Condition]) -> Document:
    """All conditions must hold."""
    match: Document = {"prefix": ""}
    headers: list[Document] = []
    states: list[Document] = []
    for condition in conditions:
        if condition.field == "path-pattern":
            match = {"safe_regex": {"regex": any_of_globs(condition.values)}}
        elif condition.field == "source-ip":
            states.append({"key": SOURCE, "address_match": {"ranges": [_range(value) for value in condition.values]}})
        else:
            headers.append(_header(condition))
    return {**match, **({"headers": headers} if headers else {}), **({"filter_state": states} if states else {})}


def source_state() -> Document:
    """The filter that keeps the client's address with its connection, where conditions on it are looked up."""
    address = {"text_format_source": {"inline_string": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"}}
    value = {"object_key": SOURCE, "factory_key": "envoy.network.ip", "format_string": address}
    return {"name": "source", "typed_config": any_of("envoy.extensions.filters.network.set_filter_state.v3.Config", on_new_connection=[value])}


def _range(cidr: str) -> Document:
    network = ip_network(cidr)
    return {"address_prefix": str(network.network_address), "prefix_len": network.prefixlen}


def _header(condition: Condition) -> Document:
    if condition.field == "host-header":
        return _matches(":authority", f"(?i)({'|'.join(glob(value) for value in condition.values)})(:[0-9]+)?")
    if condition.field == "http-header":
        return _matches(condition.name, f"(?i){any_of_globs(condition.values)}")
    if condition.field == "http-request-method":
        return _matches(":method", any_of_globs(condition.values))
    return _matches(":path", f"(?i)[^?]*\\?(.*&)?({'|'.join(_pair(key, value) for key, value in condition.pairs)})(&.*)?")


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
