"""AWS Organizations: one organization per management account, its tree of units and accounts, service and resource control policies ("Organizations API
Reference").

Delegated administrators, resource policies of the organization and the other policy types (tag, backup, ...) are not there yet.
"""

from __future__ import annotations

from latticewall.resources.kind import Service
from latticewall.services.organizations import accounts, handshakes, organization, policies, units
from latticewall.services.organizations.kinds import KINDS

OPERATIONS = {**organization.OPERATIONS, **accounts.OPERATIONS, **units.OPERATIONS, **policies.OPERATIONS, **handshakes.OPERATIONS}
SERVICE = Service("organizations", KINDS, OPERATIONS)
