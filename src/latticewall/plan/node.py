"""The whole plan of one node."""

from __future__ import annotations

from dataclasses import dataclass, field

from latticewall.plan.authorization import AuthorizationPlan
from latticewall.plan.databases import DatabasePlan
from latticewall.plan.firewall_endpoint import FirewallEndpoint
from latticewall.plan.functions import FunctionsPlan
from latticewall.plan.instances import InstancePlan
from latticewall.plan.names import NamesPlan
from latticewall.plan.proxy import ProxyPlan
from latticewall.plan.topology import Link, Namespace
from latticewall.plan.tunnels import TunnelPlan


@dataclass(frozen=True, order=True)
class Problem:
    """Why a resource cannot be realised: attached to the resource, while the rest still compiles."""

    kind: str
    id: str
    message: str
    passing: bool = False
    """It may pass without a change of the resource: one that is being created is given some time before it is said to have failed."""


@dataclass(frozen=True)
class NodePlan:
    """What one host must be. revision: the store revision it was compiled from (not part of equality of its parts)."""

    revision: int
    namespaces: tuple[Namespace, ...]
    links: tuple[Link, ...]
    firewalls: tuple[FirewallEndpoint, ...]
    proxy: ProxyPlan
    authorization: AuthorizationPlan
    names: NamesPlan
    instances: tuple[InstancePlan, ...]
    problems: tuple[Problem, ...] = ()
    functions: FunctionsPlan = field(default_factory=FunctionsPlan)
    databases: tuple[DatabasePlan, ...] = ()
    tunnels: tuple[TunnelPlan, ...] = ()
