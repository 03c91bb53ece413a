"""Who checks the targets of load balancers: Envoy's own checks ask a checker inside the load balancer's namespace, which asks the target and says whether it
passes."""

from __future__ import annotations

from dataclasses import dataclass

Codes = tuple[tuple[int, int], ...]
"""Ranges of accepted codes, [first, last]."""


@dataclass(frozen=True)
class CheckSource:
    """A node, as targets see its checks. name: of a cluster. bind: its address. http2: or else HTTP/1.1."""

    name: str
    bind: str
    tls: bool
    http2: bool


@dataclass(frozen=True)
class TargetCheck:
    """What the targets of a cluster are asked from, and which codes they pass with: gRPC's statuses or HTTP's. source: the name of a CheckSource."""

    cluster: str
    source: str
    codes: Codes
    grpc: bool = False


@dataclass(frozen=True)
class HealthChecker:
    """Of one load balancer."""

    name: str
    namespace: str
    load_balancer_id: str
    sources: tuple[CheckSource, ...]
    checks: tuple[TargetCheck, ...]
    dual_stack: bool = False
    """It is asked over IPv6, too."""
