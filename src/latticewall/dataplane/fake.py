"""A kernel that is only text: the same protocol and the same answers as the real one for what our renderers write.

It passes the contract tests that the real kernel passes (tests/dataplane/kernel/test_contract.py), and prints itself, so that tests of the rest of the
control plane can read what the kernel would hold, without any privilege.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from latticewall.compile.render.network import Device, NetworkState, namespace_name
from latticewall.compile.render.nft import TABLE
from latticewall.dataplane.kernel import BASE, KernelError, LineError
from latticewall.plan.topology import Address, PolicyRule, Route

_SETTINGS = {"ipv4/ip_forward": "0", "ipv4/ip_nonlocal_bind": "0", "ipv4/tcp_l3mdev_accept": "0"}
_DEVICE_SETTINGS = {
    f"{family}/{name}": value
    for family, values in (
        ("ipv4", {"rp_filter": "2", "send_redirects": "1", "accept_redirects": "1", "forwarding": "0", "arp_ignore": "0", "proxy_arp": "0"}),
        (
            "ipv6",
            {"disable_ipv6": "0", "accept_ra": "1", "accept_dad": "1", "dad_transmits": "1", "accept_redirects": "1", "forwarding": "0"},
        ),
    )
    for name, value in values.items()
}


@dataclass
class _Namespace:
    devices: dict[str, Device] = field(default_factory=lambda: {"lo": Device("lo", up=False, mtu=65536, mac="00:00:00:00:00:00")})
    peers: dict[str, tuple[str, str]] = field(default_factory=dict)
    addresses: set[Address] = field(default_factory=set)
    routes: dict[tuple[int, str], Route] = field(default_factory=dict)
    rules: set[PolicyRule] = field(default_factory=set)
    sysctls: dict[str, str] = field(default_factory=lambda: dict(_SETTINGS))
    table: str = ""
    counters: dict[str, tuple[int, int]] = field(default_factory=dict)
    queue: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for device in ("all", "default", "lo"):
            self.settings_of(device, _DEVICE_SETTINGS)

    def settings_of(self, device: str, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            family, name = key.split("/")
            self.sysctls[f"{family}/conf/{device}/{name}"] = value

    def defaults(self) -> dict[str, str]:
        return {key: self.sysctls["{}/conf/default/{}".format(*key.split("/"))] for key in _DEVICE_SETTINGS}


class _Refused(Exception):
    """A line the kernel would not accept."""


class FakeKernel:
    """Network namespaces in memory. commands: every changing command it was given, as (namespace, text)."""

    folder = "/run/latticewall/netns"

    def __init__(self) -> None:
        self.commands: list[tuple[str, str]] = []
        self._spaces: dict[str, _Namespace] = {BASE: _Namespace()}

    # -- the protocol -----------------------------------------------------------------------------------------------------------------

    def namespaces(self) -> frozenset[str]:
        return frozenset(self._spaces) - {BASE}

    def create_namespace(self, name: str) -> None:
        self.commands.append((name, "create"))
        self._spaces[namespace_name(name)] = _Namespace()

    def delete_namespace(self, name: str) -> None:
        self.commands.append((name, "delete"))
        if name in self._spaces:
            for device in list(self._spaces[name].peers):
                self._drop(name, device)
            del self._spaces[name]

    def network(self, namespace: str) -> NetworkState:
        space = self._space(namespace)
        return NetworkState(dict(space.devices), frozenset(space.addresses), frozenset(space.routes.values()), frozenset(space.rules))

    def ip(self, namespace: str, lines: Sequence[str]) -> tuple[LineError, ...]:
        self._space(namespace)
        failed = []
        for line in lines:
            self.commands.append((namespace, line))
            try:
                self._ip_line(namespace, line)
            except _Refused as error:
                failed.append(LineError(line, str(error)))
        return tuple(failed)

    def sysctls(self, namespace: str, keys: Iterable[str]) -> dict[str, str]:
        values = self._space(namespace).sysctls
        return {key: values[key] for key in keys if key in values}

    def set_sysctls(self, namespace: str, values: Mapping[str, str]) -> None:
        space = self._space(namespace)
        for key, value in values.items():
            self.commands.append((namespace, f"sysctl {key}={value}"))
            if key not in space.sysctls:
                raise KernelError(f"sysctl net/{key} = {value}: No such file or directory")
            space.sysctls[key] = value

    def nft_table(self, namespace: str) -> str:
        return re.sub(r"\{ packets \d+ bytes \d+ \}", "{ }", self._space(namespace).table)

    def nft(self, namespace: str, script: str) -> None:
        """Our scripts only: add, delete, and perhaps a new table."""
        self.commands.append((namespace, script))
        space = self._space(namespace)
        head = f"add table {TABLE}\ndelete table {TABLE}\n"
        if not script.startswith(head):
            raise KernelError("nft: syntax error")
        table = script.removeprefix(head)
        defined = set(re.findall(r"^\tchain (\w+) \{", table, re.MULTILINE))
        for target in re.findall(r"\b(?:jump|goto) (\w+)", table):
            if target not in defined:
                raise KernelError(f"nft: chain {target}: No such file or directory")
        found = re.findall(r"^\tcounter (\w+) \{ packets (\d+) bytes (\d+) \}", table, re.MULTILINE)
        space.table, space.counters = table, {name: (int(packets), int(octets)) for name, packets, octets in found}

    def counters(self, namespace: str) -> dict[str, tuple[int, int]]:
        return dict(self._space(namespace).counters)

    def queue_rules(self, namespace: str) -> tuple[str, ...]:
        return self._space(namespace).queue

    def restore_queue(self, namespace: str, table: str) -> None:
        self.commands.append((namespace, table))
        self._space(namespace).queue = tuple(line for line in table.splitlines() if line.startswith("-A"))

    # -- for tests --------------------------------------------------------------------------------------------------------------------

    def count(self, namespace: str, counter: str, packets: int, octets: int) -> None:
        """Let packets pass a named counter."""
        before = self._space(namespace).counters[counter]
        self._space(namespace).counters[counter] = (before[0] + packets, before[1] + octets)

    def text(self) -> str:
        """All of it, sorted, for goldens and people."""
        lines = []
        for name, space in sorted(self._spaces.items()):
            if name != BASE:
                lines += [f"namespace {name}", *(f"  {line}" for line in _print(space))]
        return "\n".join([*lines, ""])

    # -- ip lines ---------------------------------------------------------------------------------------------------------------------

    def _space(self, name: str) -> _Namespace:
        if name not in self._spaces:
            raise KernelError(f"namespace {name}: No such file or directory")
        return self._spaces[name]

    def _ip_line(self, namespace: str, line: str) -> None:
        for pattern, act in _LINES:
            if found := pattern.fullmatch(line):
                act(self, namespace, found.groupdict(default=""))
                return
        raise _Refused(f"syntax error: {line}")

    def _add_link(self, _namespace: str, words: Mapping[str, str]) -> None:
        ends = []
        for side in "ab":
            name = words[f"place_{side}"].removeprefix(f"{self.folder}/")
            if name not in self._spaces:
                raise _Refused(f'Invalid "netns" value: {name}')
            if words[f"name_{side}"] in self._spaces[name].devices:
                raise _Refused("RTNETLINK answers: File exists")
            ends.append((name, words[f"name_{side}"], words[f"mac_{side}"] or "02:fa:00:00:00:00"))
        for (name, device, mac), peer in zip(ends, reversed(ends), strict=True):
            space = self._spaces[name]
            space.devices[device] = Device(device, up=False, mtu=int(words["mtu"]), mac=mac)
            space.peers[device] = peer[:2]
            space.settings_of(device, space.defaults())

    def _delete_link(self, namespace: str, words: Mapping[str, str]) -> None:
        self._device(namespace, words["device"])
        self._drop(namespace, words["device"])

    def _drop(self, namespace: str, device: str) -> None:
        """A veth end goes with its peer, its addresses, routes and settings."""
        for name, end in ((namespace, device), self._spaces[namespace].peers[device]):
            space = self._spaces[name]
            del space.devices[end], space.peers[end]
            space.addresses = {item for item in space.addresses if item.device != end}
            space.routes = {key: route for key, route in space.routes.items() if route.device != end}
            space.sysctls = {key: value for key, value in space.sysctls.items() if f"/conf/{end}/" not in key}

    def _set_link(self, namespace: str, words: Mapping[str, str]) -> None:
        device = self._device(namespace, words["device"])
        mtu, mac, alias = int(words["mtu"] or device.mtu), words["mac"] or device.mac, words["alias"] or device.alias
        self._space(namespace).devices[device.name] = replace(device, mtu=mtu, mac=mac, alias=alias, up=device.up or bool(words["up"]))

    def _address(self, namespace: str, words: Mapping[str, str]) -> None:
        device = self._device(namespace, words["device"])
        present = self._space(namespace).addresses
        item = Address(device.name, words["cidr"])
        if (item in present) == (words["verb"] == "add"):
            raise _Refused("RTNETLINK answers: " + ("File exists" if item in present else "Cannot assign requested address"))
        present.symmetric_difference_update({item})

    def _route(self, namespace: str, words: Mapping[str, str]) -> None:
        space = self._space(namespace)
        destination = words["to"] if words["to"] == "default" else str(ip_network(words["to"]))
        route = Route(int(words["table"]), destination, words["device"], words["via"], words["kind"] or "unicast")
        key = (route.table, route.destination)
        if words["verb"] == "delete":
            if space.routes.get(key) != route:
                raise _Refused("RTNETLINK answers: No such process")
            del space.routes[key]
            return
        if route.device and not self._device(namespace, route.device).up:
            raise _Refused("RTNETLINK answers: Network is down")
        space.routes[key] = route

    def _rule(self, namespace: str, words: Mapping[str, str]) -> None:
        present = self._space(namespace).rules
        mark, mask = int(words["mark"] or "0", 0), int(words["mask"] or "0", 0)
        rule = PolicyRule(int(words["pref"]), int(words["table"]), words["incoming"], mark, mask, words["source"], 6 if words["family"] else 4)
        if (rule in present) == (words["verb"] == "add"):
            raise _Refused("RTNETLINK answers: " + ("File exists" if rule in present else "No such file or directory"))
        present.symmetric_difference_update({rule})

    def _device(self, namespace: str, name: str) -> Device:
        device = self._space(namespace).devices.get(name)
        if device is None:
            raise _Refused(f"Cannot find device {name!r}")
        return device


def _print(space: _Namespace) -> list[str]:
    lines = [
        f"device {device.name} {'up' if device.up else 'down'} mtu {device.mtu}"
        + (f" peer {':'.join(space.peers[device.name])} alias {device.alias!r}" if device.name in space.peers else "")
        for device in sorted(space.devices.values())
    ]
    lines += [f"address {item.cidr} dev {item.device}" for item in sorted(space.addresses)]
    lines += [_print_rule(rule) for rule in sorted(space.rules)]
    lines += [f"route {item.table} {item.kind} {item.destination} via {item.via or '-'} dev {item.device or '-'}" for item in sorted(space.routes.values())]
    return [*lines, *space.queue, *space.table.splitlines()]


def _print_rule(rule: PolicyRule) -> str:
    family = "-6 " if rule.family == 6 else ""
    return f"{family}rule {rule.priority} from {rule.source or 'all'} iif {rule.incoming or '-'} mark {rule.mark:#x}/{rule.mask:#x} table {rule.table}"


_Act = Callable[[FakeKernel, str, Mapping[str, str]], None]
_END = r"(?P<name_{0}>\S+) netns (?P<place_{0}>\S+)(?: address (?P<mac_{0}>\S+))?"
_LINK = r'(?: mtu (?P<mtu>\d+))?(?: address (?P<mac>\S+))?(?: alias "(?P<alias>[^"]+)")?(?: (?P<up>up))?'
_TO = r"(?:(?P<kind>blackhole|unreachable|prohibit) )?(?P<to>\S+)(?: via (?P<via>\S+))?(?: dev (?P<device>\S+))?(?: onlink)?"
_FROM = r"pref (?P<pref>\d+)(?: from (?P<source>\S+))?(?: iif (?P<incoming>\S+))?(?: fwmark (?P<mark>\w+)/(?P<mask>\w+))?"
_LINES: tuple[tuple[re.Pattern[str], _Act], ...] = tuple(
    (re.compile(pattern), act)
    for pattern, act in (
        (f"link add name {_END.format('a')} mtu (?P<mtu>\\d+) type veth peer name {_END.format('b')} mtu \\d+", FakeKernel._add_link),
        (r"link delete dev (?P<device>\S+)", FakeKernel._delete_link),
        (rf"link set dev (?P<device>\S+){_LINK}", FakeKernel._set_link),
        (r"address (?P<verb>add|delete) (?P<cidr>\S+) dev (?P<device>\S+)(?: nodad)?", FakeKernel._address),
        (rf"route (?P<verb>replace|delete) {_TO} table (?P<table>\d+) proto 242", FakeKernel._route),
        (rf"(?P<family>-6 )?rule (?P<verb>add|delete) {_FROM} lookup (?P<table>\d+) protocol 242", FakeKernel._rule),
    )
)
