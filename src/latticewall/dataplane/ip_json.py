"""What `ip -d -j` prints -> NetworkState."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from latticewall.compile.render.network import ALIAS_PREFIX, Device, NetworkState
from latticewall.plan.topology import Address, PolicyRule, Route

SHOW = ("address show", "rule show", "route show table all proto 242")
"""The batch whose three answers `parse_state` reads."""
_TABLES = {"main": 254, "default": 253, "local": 255}


SHOW_IPV6 = ("rule show",)
"""The same for `ip -6`: what is listed of one family only."""


def parse_state(text: str, ipv6: str = "") -> NetworkState:
    """The three documents that SHOW printed, and the one of SHOW_IPV6 where IPv6 is on."""
    devices, rules, routes = _documents(text)
    rules_of_ipv6 = [rule for document in _documents(ipv6) for rule in document]
    return NetworkState(
        {device.name: device for device in map(_device, devices)},
        frozenset(address for device in devices for address in _addresses(device)),
        frozenset(map(_route, routes)),
        frozenset(
            _rule(rule, family) for family, listed in ((4, rules), (6, rules_of_ipv6)) for rule in listed if str(rule.get("protocol")) == "242"
        ),
    )


def _documents(text: str) -> list[list[dict[str, Any]]]:
    decoder = json.JSONDecoder()
    found = []
    position = 0
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        found.append([item for item in document if item])
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def _device(document: Mapping[str, Any]) -> Device:
    mark = document.get("ifalias", "")
    ours = mark if mark.startswith(ALIAS_PREFIX) else ""
    return Device(document["ifname"], up="UP" in document["flags"], mtu=document["mtu"], mac=document.get("address", ""), alias=ours)


def _addresses(device: Mapping[str, Any]) -> Iterator[Address]:
    """Addresses but the kernel's own: loopback and IPv6 link-local."""
    for item in device["addr_info"]:
        if item["local"] in ("127.0.0.1", "::1") or (item["family"] == "inet6" and item["scope"] == "link"):
            continue
        yield Address(device["ifname"], f"{item['local']}/{item['prefixlen']}")


def _route(document: Mapping[str, Any]) -> Route:
    destination, kind = document["dst"], document.get("type", "unicast")
    if destination == "default" and "pref" in document:  # a preference is what only IPv6 routes have
        destination = "::/0"
    if destination != "default" and "/" not in destination:
        destination += "/128" if ":" in destination else "/32"
    return Route(_table(document), destination, document.get("dev", "") if kind == "unicast" else "", document.get("gateway", ""), kind)


def _rule(document: Mapping[str, Any], family: int) -> PolicyRule:
    mark = int(document.get("fwmark", "0"), 0)
    mask = int(document.get("fwmask", "0xffffffff" if mark else "0"), 0)
    source = document.get("src", "all")
    if "srclen" in document:
        source += f"/{document['srclen']}"
    return PolicyRule(document["priority"], _table(document), document.get("iif", ""), mark, mask, "" if source == "all" else source, family)


def _table(document: Mapping[str, Any]) -> int:
    name = str(document.get("table", "main"))
    return _TABLES.get(name) or int(name)
