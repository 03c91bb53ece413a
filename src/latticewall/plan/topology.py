"""Namespaces, links, addresses and routes: the layer-3 part of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.plan.nft import Ruleset


@dataclass(frozen=True, order=True)
class Address:
    """A local address of a namespace. device "lo" for addresses that only sockets and the router itself use."""

    device: str
    cidr: str


@dataclass(frozen=True, order=True)
class Route:
    """One route of a Linux routing table.

    table: number (254 is main). destination: CIDR, or "default" for IPv4's ("::/0" is IPv6's). device/via: next hop (via is on-link), or kind: "blackhole" /
    "unreachable" without them. origin: what in AWS it stands for ("rtb-1 0.0.0.0/0 -> tgw-1"), for people and `trace`.
    """

    table: int
    destination: str
    device: str = ""
    via: str = ""
    kind: str = "unicast"
    origin: str = ""


@dataclass(frozen=True, order=True)
class PolicyRule:
    """`ip rule`: packets of the family (4 or 6) that came in on `incoming` (carry `mark`, come from the address `source`) look in `table`; what is empty is
    not asked.

    Lower priority numbers are asked first.
    """

    priority: int
    table: int
    incoming: str = ""
    mark: int = 0
    mask: int = 0
    source: str = ""
    family: int = 4


@dataclass(frozen=True)
class Namespace:
    """A network namespace and what is inside it.

    name: unique, also its file name. kind: vpc, transit-gateway, firewall, instance. owner: id of the AWS resource it stands for.
    sysctls: (key, value) below /proc/sys/net, e.g. ("ipv4/ip_forward", "1").
    """

    name: str
    kind: str
    owner: str
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[PolicyRule, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    ruleset: Ruleset | None = None
    queue: int | None = None
    """NFQUEUE number that packets marked with `queue_mark` are handed to in the forward hook, without bypass."""
    queue_mark: int = 0


@dataclass(frozen=True, order=True)
class End:
    """One end of a link."""

    namespace: str
    device: str
    mac: str = ""


@dataclass(frozen=True, order=True)
class Link:
    """A veth pair between two namespaces. mtu in bytes, same on both ends. owner: the AWS id it stands for (an eni, an attachment, a vpce)."""

    a: End
    b: End
    mtu: int
    owner: str
