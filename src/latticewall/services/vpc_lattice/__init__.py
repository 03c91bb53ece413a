"""VPC Lattice: service networks, services and their rules, target groups, resources, auth policies, access logs.

Lives here: what these resources mean and what is refused. May import resources, policy, base. Never enters: packets, Envoy, other services;
other services' resources are met by reference ("ec2:Vpc") and through `ctx.call`.
"""

from latticewall.resources.kind import Service
from latticewall.services.vpc_lattice import domain_verification
from latticewall.services.vpc_lattice.kinds import KINDS
from latticewall.services.vpc_lattice.operations import OPERATIONS

SERVICE = Service("vpc-lattice", KINDS, OPERATIONS, settled=domain_verification.verify_all, is_due=domain_verification.is_due)

__all__ = ["SERVICE"]
