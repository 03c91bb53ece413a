"""One firewall endpoint: an engine in the endpoint's namespace."""

from __future__ import annotations

from dataclasses import dataclass

from latticewall.plan.firewall import FirewallEngine


@dataclass(frozen=True)
class FirewallEndpoint:
    """endpoint_id: vpce-. firewall_name, firewall_arn, availability_zone: for the logs. queue: NFQUEUE number inside `namespace`."""

    endpoint_id: str
    firewall_arn: str
    firewall_name: str
    availability_zone: str
    namespace: str
    queue: int
    engine: FirewallEngine
