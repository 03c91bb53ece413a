"""AWS Resource Access Manager: resources of one account, used from others ("AWS RAM User Guide", "AWS RAM API Reference").

A share says which resources, for whom, with which permission; what follows from it is decided where the resources are used
(`auth.resource_policies`). Shareable are VPC Lattice's service networks, services and resource configurations, Transit Gateways, and Network Firewall's
policies and rule groups; subnets, prefix lists and all others are refused by name. Not there: conditions and versions of customer managed permissions,
shares made from resource policies, IAM roles, users and service principals as consumers.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.ram import invitations, listing, permissions, shares
from latticewall.services.ram.kinds import KINDS

SERVICE = Service("ram", KINDS, {**shares.OPERATIONS, **invitations.OPERATIONS, **permissions.OPERATIONS, **listing.OPERATIONS})
