"""AWS Organizations: one organization per management account, member accounts, one root ("Organizations API Reference").

Organizational units, policies (SCPs) and handshakes are not there yet.
"""

from __future__ import annotations

from latticewall.resources.kind import Kind, Lifecycle, Ref, Service
from latticewall.services.organizations.semantics import OPERATIONS

ORGANIZATION = Kind("organizations:Organization", id_member="Id", id_prefix="o-", arn_member="Arn", is_global=True)
ACCOUNT = Kind(
    "organizations:Account", id_member="Id", arn_member="Arn", name_member="Name", is_global=True, refs={"organization": Ref("organizations:Organization")}
)
CREATION = Kind("organizations:CreateAccountStatus", id_member="Id", id_prefix="car-", is_global=True, lifecycle=Lifecycle())
SERVICE = Service("organizations", (ORGANIZATION, ACCOUNT, CREATION), OPERATIONS)
