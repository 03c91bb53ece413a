"""Small plans: a VPC router with instances, and what can be varied about it."""

from __future__ import annotations

from dataclasses import replace

from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.nft import Chain, Match, NftRule, Ruleset
from latticewall.plan.node import NodePlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.plan.topology import Address, End, Link, Namespace, PolicyRule, Route

MAIN = 254
TABLE = 20_000
SYSCTLS = (
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
)
OPEN = Ruleset((Chain("forward", (NftRule((), "continue", counter="passed"),), hook="forward"),), ("passed",))


def plan(namespaces: tuple[Namespace, ...], links: tuple[Link, ...], revision: int = 1) -> NodePlan:
    nothing = (ProxyPlan(), AuthorizationPlan(), NamesPlan())
    return NodePlan(revision, namespaces, links, (), *nothing, instances=())


def instance(number: int) -> Namespace:
    """Address 10.0.0.<10 + number>, everything else over eth0."""
    address = Address("eth0", f"10.0.0.{10 + number}/32")
    default = Route(MAIN, "default", "eth0", "10.0.0.1", origin="implicit router")
    return Namespace(f"i-{number}", "instance", f"i-{number}", (address,), (default,), sysctls=SYSCTLS)


def cable(number: int, mtu: int = 9001) -> Link:
    return Link(End("vpc-1", f"e{number}"), End(f"i-{number}", "eth0", f"02:00:00:00:00:{number:02x}"), mtu, f"eni-{number}")


def router(count: int, ruleset: Ruleset | None = OPEN) -> Namespace:
    """The instances' neighbour: what comes from one of them looks in a table of its own."""
    to = [Route(table, f"10.0.0.{10 + number}/32", f"e{number}", origin="local") for number in range(count) for table in (MAIN, TABLE)]
    rules = tuple(PolicyRule(1000, TABLE, f"e{number}") for number in range(count))
    nowhere = Route(TABLE, "default", kind="blackhole", origin="no route")
    return Namespace("vpc-1", "vpc", "vpc-1", (Address("lo", "10.0.0.1/32"),), (*to, nowhere), rules, SYSCTLS, ruleset)


def vpc(count: int = 2, ruleset: Ruleset | None = OPEN) -> NodePlan:
    """A router and `count` instances that reach each other through it."""
    return plan((router(count, ruleset), *(instance(number) for number in range(count))), tuple(cable(number) for number in range(count)))


def changed(before: NodePlan, name: str, **values: object) -> NodePlan:
    """The plan with one namespace changed."""
    namespaces = tuple(replace(item, **values) if item.name == name else item for item in before.namespaces)  # type: ignore[arg-type]
    return replace(before, namespaces=namespaces)


def only(*rules: NftRule, policy: str = "drop") -> Ruleset:
    """A ruleset of one forward chain."""
    return Ruleset((Chain("forward", rules, hook="forward", policy=policy),))


TCP = Match("meta l4proto", ("tcp",))
