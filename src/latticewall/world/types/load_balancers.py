"""Application Load Balancers, their rules and target groups."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from latticewall.world.types.lattice import Target


@dataclass(frozen=True)
class LoadBalancerNode:
    """A load balancer's presence in one subnet. ipv6: None unless it is dual-stack."""

    subnet_id: str
    interface_id: str
    address: IPv4Address
    ipv6: IPv6Address | None = None


@dataclass(frozen=True)
class LoadBalancerRule:
    """conditions and action as in the API; the default rule has priority 0 and no conditions."""

    arn: str
    priority: int
    conditions: tuple[dict[str, Any], ...]
    action: dict[str, Any]


@dataclass(frozen=True)
class LoadBalancerListener:
    """rules: in order of evaluation, the default rule last."""

    id: str
    arn: str
    protocol: str
    port: int
    rules: tuple[LoadBalancerRule, ...]
    attributes: dict[str, str]
    certificate_arn: str = ""
    ssl_policy: str = ""
    """Of an HTTPS listener."""
    certificate_list: tuple[str, ...] = ()
    """ARNs of further certificates."""


@dataclass(frozen=True)
class LoadBalancer:
    """id: the end of its ARN, "app/web/0123456789abcdef". attributes: all of them, by the API's keys."""

    id: str
    arn: str
    dns_name: str
    vpc_id: str
    nodes: tuple[LoadBalancerNode, ...]
    listeners: tuple[LoadBalancerListener, ...]
    attributes: dict[str, str]


@dataclass(frozen=True)
class LoadBalancerTargetGroup:
    """health_check: the members of the API's TargetGroup that describe it. targets: those that get requests, in reach of the group's load balancer."""

    id: str
    arn: str
    protocol: str
    protocol_version: str
    vpc_id: str
    health_check: dict[str, Any]
    targets: tuple[Target, ...]
    attributes: dict[str, str]
    is_ipv6: bool = False
