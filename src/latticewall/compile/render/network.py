"""A plan's Namespace -> the state that `ip` must show, and the difference between two states -> lines for `ip -batch`.

What carries our mark is ours: links by their alias, routes and rules by protocol 242. Addresses have no mark: those of our devices are ours, those of
devices that somebody made inside an instance (a tunnel, say) are not. Nothing else is ever removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_interface, ip_network

from latticewall.plan.topology import Address, End, Link, Namespace, PolicyRule, Route

PROTOCOL = 242
_MAIN = 254
ALIAS_PREFIX = "latticewall "
_DEVICE = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}")
_NAMESPACE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_SYSCTL = re.compile(r"[a-z0-9_]+(/[A-Za-z0-9_.-]+)+")
_SYSCTL_VALUE = re.compile(r"[0-9]+([ \t][0-9]+)*")
_KINDS = ("unicast", "blackhole", "unreachable", "prohibit")


class Unrenderable(ValueError):
    """A plan holds a name or number that cannot stand in an `ip` command."""


@dataclass(frozen=True, order=True)
class Device:
    """A network device. alias: "" for what is not ours. mac: "" for whatever the kernel chose."""

    name: str
    up: bool
    mtu: int = 0
    mac: str = ""
    alias: str = ""


@dataclass(frozen=True)
class NetworkState:
    """What `ip` shows of one namespace: all devices; addresses but the kernel's own; routes (without origin) and rules of ours."""

    devices: Mapping[str, Device]
    addresses: frozenset[Address] = frozenset()
    routes: frozenset[Route] = frozenset()
    rules: frozenset[PolicyRule] = frozenset()


def desired_state(namespace: Namespace, links: Iterable[Link]) -> NetworkState:
    """What the namespace must look like. Raises Unrenderable."""
    devices = {"lo": Device("lo", up=True)}
    for link in links:
        for end in (link.a, link.b):
            if end.namespace == namespace.name:
                if end.device in devices:
                    raise Unrenderable(f"{namespace.name}: two devices {end.device}")
                devices[end.device] = Device(end.device, up=True, mtu=link.mtu, mac=end.mac.lower(), alias=alias(link))
    routes = frozenset(_route(route) for route in namespace.routes)
    if len({(route.table, route.destination) for route in routes}) < len(routes):
        raise Unrenderable(f"{namespace.name}: two routes to one destination in one table")
    addresses = frozenset(Address(_device(address.device), str(ip_interface(address.cidr))) for address in namespace.addresses)
    return NetworkState(devices, addresses, routes, frozenset(_rule(rule) for rule in namespace.rules))


def desired_sysctls(namespace: Namespace, devices: Iterable[str]) -> dict[str, str]:
    """Kernel settings below /proc/sys/net, device by device too: a device made before `default` was set keeps the old value."""
    found: dict[str, str] = {}
    for key, value in namespace.sysctls:
        if not _SYSCTL.fullmatch(key) or ".." in key or not _SYSCTL_VALUE.fullmatch(value):
            raise Unrenderable(f"{namespace.name}: sysctl {key}={value!r}")
        found[key] = value
        if "/conf/default/" in key:
            found.update({key.replace("/default/", f"/{_device(device)}/"): value for device in devices})
    return found


def alias(link: Link) -> str:
    """The mark of a link: whose it is and which ends belong together, so that a wrong peer is noticed."""
    if not _OWNER.fullmatch(link.owner):
        raise Unrenderable(f"link owner {link.owner!r}")
    return f"{ALIAS_PREFIX}{link.owner} {_end(link.a)} {_end(link.b)}"


def create_link(link: Link, folder: str) -> str:
    """Make the pair with both ends where they belong. folder: absolute path of the namespaces' files."""
    if not 68 <= link.mtu <= 65535:
        raise Unrenderable(f"link {link.owner}: mtu {link.mtu}")
    return f"link add name {_placed(link.a, folder)} mtu {link.mtu} type veth peer name {_placed(link.b, folder)} mtu {link.mtu}"


def delete_device(name: str) -> str:
    return f"link delete dev {_device(name)}"


def diff(observed: NetworkState, desired: NetworkState) -> list[str]:
    """Lines that make `observed` into `desired`. Devices are only adjusted here; both ends are made and removed together elsewhere.

    Additions before removals, and before a device comes up all that decides about its packets: a packet must not meet half a set of tables and fall
    through to the main one, which therefore comes last.
    """
    missing = sorted(desired.routes - observed.routes, key=lambda route: (route.table == _MAIN, route.kind == "unicast", route))
    ready = {route for route in missing if not route.device or _is_up(observed, route.device)}
    lines = [f"route replace {_route_text(route)}" for route in missing if route in ready]
    lines += [_rule_line("add", rule) for rule in sorted(desired.rules - observed.rules)]
    for name, device in desired.devices.items():
        if name in observed.devices:
            lines += _adjust(observed.devices[name], device)
    lines += [f"address add {item.cidr} dev {item.device}{_at_once(item)}" for item in sorted(desired.addresses - observed.addresses)]
    lines += [f"route replace {_route_text(route)}" for route in missing if route not in ready]
    lines += [_rule_line("delete", rule) for rule in sorted(observed.rules - desired.rules)]
    kept = {(route.table, route.destination) for route in desired.routes}
    stale = (route for route in observed.routes if (route.table, route.destination) not in kept)
    lines += [f"route delete {_route_text(route)}" for route in sorted(stale)]
    foreign = {name for name, device in observed.devices.items() if name not in desired.devices and not device.alias}
    surplus = (item for item in sorted(observed.addresses - desired.addresses) if item.device not in foreign)
    return [*lines, *(f"address delete {item.cidr} dev {item.device}" for item in surplus)]


def _at_once(address: Address) -> str:
    """An IPv6 address serves without first looking for somebody else who has it."""
    return " nodad" if ":" in address.cidr else ""


def _is_up(state: NetworkState, device: str) -> bool:
    return device in state.devices and state.devices[device].up


def after_creation(observed: NetworkState, created: Sequence[Device]) -> NetworkState:
    """The state with devices that were just made: down and without alias."""
    return replace(observed, devices={**observed.devices, **{device.name: replace(device, up=False, alias="") for device in created}})


def without_missing(desired: NetworkState, present: Iterable[str]) -> NetworkState:
    """What can be had while some devices could not be made: a route over one of them leads nowhere instead of falling through to a wider route."""
    there = set(present)
    missing = desired.devices.keys() - there
    if not missing:
        return desired
    return NetworkState(
        {name: device for name, device in desired.devices.items() if name in there},
        frozenset(item for item in desired.addresses if item.device in there),
        frozenset(Route(route.table, route.destination, kind="blackhole") if route.device in missing else route for route in desired.routes),
        desired.rules,
    )


# -- words --------------------------------------------------------------------------------------------------------------------------------


def _adjust(observed: Device, desired: Device) -> list[str]:
    words = []
    if desired.mtu and observed.mtu != desired.mtu:
        words.append(f"mtu {desired.mtu}")
    if desired.mac and observed.mac != desired.mac:
        words.append(f"address {_mac(desired.mac)}")
    if desired.alias and observed.alias != desired.alias:
        words.append(f'alias "{desired.alias}"')
    if not observed.up:
        words.append("up")
    return [f"link set dev {_device(desired.name)} {' '.join(words)}"] if words else []


def _placed(end: End, folder: str) -> str:
    mac = f" address {_mac(end.mac.lower())}" if end.mac else ""
    return f"{_device(end.device)} netns {folder}/{namespace_name(end.namespace)}{mac}"


def _end(end: End) -> str:
    return f"{namespace_name(end.namespace)}:{_device(end.device)}"


def _route(route: Route) -> Route:
    """A route as the kernel would show it: canonical, without what only people read."""
    destination = "default" if route.destination in ("default", "0.0.0.0/0") else str(ip_network(route.destination))
    if route.kind not in _KINDS or not 0 < route.table < 2**32 or (route.kind == "unicast") != bool(route.device):
        raise Unrenderable(f"route {route}")
    return Route(route.table, destination, route.device and _device(route.device), route.via and str(ip_address(route.via)), route.kind)


def _rule(rule: PolicyRule) -> PolicyRule:
    if not 0 < rule.priority < 32766 or not 0 < rule.table < 2**32 or not 0 <= rule.mark < 2**32 or not 0 <= rule.mask < 2**32 or rule.family not in (4, 6):
        raise Unrenderable(f"policy rule {rule}")
    return replace(rule, incoming=rule.incoming and _device(rule.incoming), source=rule.source and str(ip_address(rule.source)))


def _route_text(route: Route) -> str:
    kind = "" if route.kind == "unicast" else f"{route.kind} "
    via = f" via {route.via}" if route.via else ""
    device = f" dev {route.device}" if route.device else ""
    return f"{kind}{route.destination}{via}{device}{' onlink' if route.via else ''} table {route.table} proto {PROTOCOL}"


def _rule_text(rule: PolicyRule) -> str:
    source = f" from {rule.source}" if rule.source else ""
    incoming = f" iif {rule.incoming}" if rule.incoming else ""
    mark = f" fwmark {rule.mark:#x}/{rule.mask:#x}" if rule.mask else ""
    return f"pref {rule.priority}{source}{incoming}{mark} lookup {rule.table} protocol {PROTOCOL}"


def _rule_line(verb: str, rule: PolicyRule) -> str:
    """`ip` takes a rule for IPv4's unless it is told the family first."""
    return f"{'-6 ' if rule.family == 6 else ''}rule {verb} {_rule_text(rule)}"


def namespace_name(name: str) -> str:
    """The name, if it can be a file's. Raises Unrenderable."""
    if not _NAMESPACE.fullmatch(name):
        raise Unrenderable(f"namespace {name!r}")
    return name


def _device(name: str) -> str:
    if not _DEVICE.fullmatch(name):
        raise Unrenderable(f"device {name!r}")
    return name


def _mac(text: str) -> str:
    if not _MAC.fullmatch(text):
        raise Unrenderable(f"mac {text!r}")
    return text
