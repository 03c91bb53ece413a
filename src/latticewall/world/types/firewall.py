"""Network Firewalls with the policy and rule groups they enforce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FirewallEndpoint:
    """A firewall's endpoint in one subnet."""

    id: str
    subnet_id: str
    vpc_id: str
    availability_zone: str


@dataclass(frozen=True)
class RuleGroup:
    """document: the API's RuleGroup member; type STATEFUL or STATELESS."""

    arn: str
    type: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Firewall:
    """policy: the API's FirewallPolicy member. logging: LogDestinationConfigs."""

    arn: str
    name: str
    account: str
    vpc_id: str
    endpoints: tuple[FirewallEndpoint, ...]
    policy_arn: str
    policy: dict[str, Any]
    rule_groups: tuple[RuleGroup, ...]
    logging: tuple[dict[str, Any], ...] = ()
