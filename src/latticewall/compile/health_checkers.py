"""The health checks of a load balancer's targets ("Health checks for Application Load Balancer target groups"): every node checks for itself."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from latticewall.compile.health_checks import status_ranges
from latticewall.plan.health_checkers import CheckSource, HealthChecker, TargetCheck
from latticewall.plan.proxy import HealthCheck
from latticewall.world.types import LoadBalancer, LoadBalancerNode, LoadBalancerTargetGroup

CHECKER = "ELB-HealthChecker/2.0"


def health_check(group: LoadBalancerTargetGroup) -> HealthCheck:
    """When a target of the group is checked, and what it is asked. What it must answer is known to the checker."""
    check = group.health_check
    port = check["HealthCheckPort"]
    return HealthCheck(
        path=check["HealthCheckPath"], interval=check["HealthCheckIntervalSeconds"], timeout=check["HealthCheckTimeoutSeconds"],
        healthy=check["HealthyThresholdCount"], unhealthy=check["UnhealthyThresholdCount"], port=0 if port == "traffic-port" else int(port),
        user_agent=CHECKER, grpc=group.protocol_version == "GRPC", by_checker=True,
    )  # fmt: skip


def health_checker(balancer: LoadBalancer, namespace: str, checked: Iterable[tuple[str, LoadBalancerNode, LoadBalancerTargetGroup]]) -> HealthChecker:
    """checked: the clusters of its nodes, each with the node that sends there and the target group."""
    sources: dict[str, CheckSource] = {}
    checks = []
    for cluster, node, group in checked:
        source = _source(node, group)
        sources[source.name] = source
        grpc = group.protocol_version == "GRPC"
        matcher = group.health_check["Matcher"]
        checks.append(TargetCheck(cluster, source.name, status_ranges(matcher["GrpcCode" if grpc else "HttpCode"]), grpc))
    ordered = tuple(sources[name] for name in sorted(sources))
    dual_stack = any(node.ipv6 is not None for node in balancer.nodes)
    return HealthChecker(f"checker-{balancer.id}", namespace, balancer.id, ordered, tuple(sorted(checks, key=lambda check: check.cluster)), dual_stack)


def _source(node: LoadBalancerNode, group: LoadBalancerTargetGroup) -> CheckSource:
    tls, http2 = group.health_check["HealthCheckProtocol"] == "HTTPS", group.protocol_version != "HTTP1"
    words = f"{'https' if tls else 'http'}{'2' if http2 else '1'}"
    family = " ipv6" if group.is_ipv6 else ""
    return CheckSource(f"checker-{words}@{node.interface_id}{family}", str(source_address(group, node)), tls, http2)


def source_address(group: LoadBalancerTargetGroup, node: LoadBalancerNode) -> IPv4Address | IPv6Address:
    """From where a node comes to the targets of a group."""
    return node.ipv6 if group.is_ipv6 and node.ipv6 is not None else node.address
