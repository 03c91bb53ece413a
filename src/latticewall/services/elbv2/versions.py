"""Which listeners may forward to which target groups ("Target groups for your Application Load Balancers", protocol version): HTTP/2 reaches a load balancer
over TLS only, so those of HTTP2 and GRPC are for HTTPS listeners."""

from __future__ import annotations

from collections.abc import Iterable

from latticewall.base.rows import Row
from latticewall.services.elbv2 import text


def check(protocol: str, groups: Iterable[Row]) -> None:
    """Whether a listener of this protocol may forward to the target groups. Raises InvalidLoadBalancerAction."""
    for group in groups:
        version = group.document["ProtocolVersion"]
        if protocol == "HTTP" and version != "HTTP1":
            message = f"Listener protocol 'HTTP' is not supported with a target group with the protocol-version '{version}'"
            raise text.refused("InvalidLoadBalancerAction", message)
