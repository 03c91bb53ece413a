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


def parse_state(text: str) -> NetworkState:
    """The three documents that SHOW printed."""
    devices, rules, routes = _documents(text)
    return NetworkState(
        {device.name: device for device in map(_device, devices)},
        frozenset(address for device in devices for address in _addresses(device)),
        frozenset(map(_route, routes)),
        frozenset(_rule(rule) for rule in rules if str(rule.get("protocol")) == "242"),
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
    destination = document["dst"]
    if destination != "default" and "/" not in destination:
        destination += "/128" if ":" in destination else "/32"
    return Route(_table(document), destination, document.get("dev", ""), document.get("gateway", ""), document.get("type", "unicast"))


def _rule(document: Mapping[str, Any]) -> PolicyRule:
    mark = int(document.get("fwmark", "0"), 0)
    mask = int(document.get("fwmask", "0xffffffff" if mark else "0"), 0)
    source = document.get("src", "all")
    if "srclen" in document:
        source += f"/{document['srclen']}"
    return PolicyRule(document["priority"], _table(document), document.get("iif", ""), mark, mask, "" if source == "all" else source)


def _table(document: Mapping[str, Any]) -> int:
    name = str(document.get("table", "main"))
    return _TABLES.get(name) or int(name)
