"""Elastic Load Balancing, version 2: internal Application Load Balancers ("Elastic Load Balancing API Reference, 2015-12-01").

Lives here: load balancers, their listeners and rules, target groups and targets; what is refused, in ELB's words. Never enters: packets, Envoy, other
services. Not there: load balancers that face the Internet, Network and Gateway Load Balancers, Lambda functions as targets,
authentication by the load balancer, trust stores; each is refused by name.
"""

from __future__ import annotations

from latticewall.resources.kind import Handler, Service
from latticewall.services.elbv2 import account, attributes, certificates, listeners, load_balancers, rules, tagging, target_groups, targets, tls
from latticewall.services.elbv2.kinds import KINDS

OPERATIONS: dict[str, Handler] = {
    **load_balancers.OPERATIONS,
    **attributes.OPERATIONS,
    **target_groups.OPERATIONS,
    **targets.OPERATIONS,
    **listeners.OPERATIONS,
    **rules.OPERATIONS,
    **tls.OPERATIONS,
    **certificates.OPERATIONS,
    **tagging.OPERATIONS,
    **account.OPERATIONS,
}
SERVICE = Service("elbv2", KINDS, OPERATIONS)

__all__ = ["SERVICE"]
